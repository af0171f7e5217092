/** Installation of one package with apt, on Debian and Ubuntu. */

interface Apt {
  hasApt(): boolean;
  asRoot(): readonly string[] | undefined;
  update(prefix: readonly string[]): string | undefined;
  install(prefix: readonly string[], packages: readonly string[]): string | undefined;
}

/** Installs a package that `isInstalled` then finds. Throws with apt's messages, and the remedy, if it cannot. */
export async function installPackage(name: string, isInstalled: () => boolean, remedy: string): Promise<void> {
  const apt: Apt = await import(new URL("../setup/apt.mjs", import.meta.url).href);
  const prefix = apt.hasApt() ? apt.asRoot() : undefined;
  if (!prefix) throw new Error(`not found, and apt-get is missing or not permitted; ${remedy}`);
  const failures = [apt.update(prefix), apt.install(prefix, [name])];
  if (isInstalled()) return;
  throw new Error([`apt did not install it; ${remedy}`, ...failures].filter(Boolean).join("\n"));
}
