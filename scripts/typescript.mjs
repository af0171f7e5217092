/** Lets Node.js import TypeScript: by tsx where Node.js does not strip types itself. `node --import ./scripts/typescript.mjs FILE.ts` */
if (!process.features.typescript) {
  const { register } = await import("tsx/esm/api");
  register();
}
