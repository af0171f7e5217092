/** Kernels whose operands exceed a binding of the adapter: WGSL has no arrays of buffers, so functions choose the binding of an element. */

const declaration = /@group\(0\) @binding\([1-9]\d*\) var<storage, (\w+)> (\w+): array<(\w+)>;/g;

/** Parts of `limit` bytes at most: their first byte and number of bytes. */
export function partsOf(bytes: number, limit: number): readonly { readonly offset: number; readonly size: number }[] {
  return Array.from({ length: Math.max(1, Math.ceil(bytes / limit)) }, (_, i) => ({
    offset: i * limit,
    size: Math.max(4, Math.min(limit, bytes - i * limit)),
  }));
}

/** Code whose operands, of `bytes` in the order of their declaration, take as many bindings each as they have parts of `limit` bytes. */
export function splitOperands(code: string, bytes: readonly number[], limit: number): string {
  if (bytes.every((size) => size <= limit)) return code;
  const names: string[] = [];
  let [operand, binding] = [0, 0];
  const declared = code.replace(declaration, (_, mode: string, name: string, type: string) => {
    const count = partsOf(bytes[operand++] ?? 0, limit).length;
    const declare = (own: string) => `@group(0) @binding(${++binding}) var<storage, ${mode}> ${own}: array<${type}>;`;
    if (count === 1) return declare(name);
    names.push(name);
    const length = limit / (type === "vec4f" ? 16 : 4);
    const all = Array.from({ length: count }, (_, i) => `${name}_${i}`);
    const each = (use: (element: string) => string) =>
      all
        .map((own, i) => `${i > 0 ? `if (i >= ${i * length}) ` : ""}{ ${use(`${own}[i - ${i * length}]`)} }`)
        .toReversed()
        .join(" ");
    const get = `fn get_${name}(i: u32) -> ${type} { ${each((element) => `return ${element};`)} }`;
    const set = `fn set_${name}(i: u32, x: ${type}) { ${each((element) => `${element} = x; return;`)} }`;
    return [...all.map(declare), get, ...(mode === "read" ? [] : [set])].join("\n");
  });
  return names.reduce(withFunctions, declared);
}

/** Replaces `name[index]` by a call of `get_name`, and its assignment by one of `set_name`. */
function withFunctions(code: string, name: string): string {
  const at = code.search(new RegExp(`\\b${name}\\[`));
  if (at < 0) return code;
  const first = at + name.length + 1;
  let end = first;
  for (let depth = 1; depth > 0; end++) depth += { "[": 1, "]": -1 }[code[end] as string] ?? 0;
  const index = withFunctions(code.slice(first, end - 1), name);
  const rest = code.slice(end);
  const [, value, after] = /^ = ([^;]*);(.*)$/s.exec(rest) ?? [];
  const use =
    value === undefined
      ? `get_${name}(${index})${withFunctions(rest, name)}`
      : `set_${name}(${index}, ${withFunctions(value, name)});${withFunctions(after ?? "", name)}`;
  return code.slice(0, at) + use;
}
