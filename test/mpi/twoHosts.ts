/** Two hosts: network namespaces of this machine with TCP between them. Linux, as root, with iproute2 and Open MPI. */
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [one, two] = [`alexnet-${process.pid}-a`, `alexnet-${process.pid}-b`];
const [link, peer] = [`ax${process.pid % 1e5}a`, `ax${process.pid % 1e5}b`];
/** Addresses of this process's own network. */
const network = "10.177.45.0/24";

/** Addresses of the two hosts, and one that no host has. */
export const [first, second, absent] = ["10.177.45.1", "10.177.45.2", "10.177.45.9"] as const;

/** Two hosts, and a folder that both see. */
export interface TwoHosts {
  readonly folder: string;
  /** Start of a command line on the first host. */
  readonly onFirst: readonly string[];
  /** Environment in which `mpirun` reaches the hosts. */
  readonly env: Readonly<Record<string, string>>;
  /** Limits the link in both directions, such as `1gbit`. */
  limit(rate: string): void;
  close(): Promise<void>;
}

/** Makes the hosts; undefined without the right to, or without `ip netns`. */
export async function makeTwoHosts(): Promise<TwoHosts | undefined> {
  if (spawnSync("ip", ["netns", "add", one]).status !== 0) return undefined;
  for (const args of [
    ["netns", "add", two],
    ["link", "add", link, "netns", one, "type", "veth", "peer", "name", peer, "netns", two],
    ["-n", one, "addr", "add", `${first}/24`, "dev", link],
    ["-n", two, "addr", "add", `${second}/24`, "dev", peer],
    ...[one, two].map((name) => ["-n", name, "link", "set", "lo", "up"]),
    ["-n", one, "link", "set", link, "up"],
    ["-n", two, "link", "set", peer, "up"],
  ]) {
    run("ip", args);
  }
  const folder = await mkdtemp(join(tmpdir(), "alexnet-hosts-"));
  // The place of ssh: a host is a namespace with a name of its own, so that Open MPI exchanges by TCP.
  const lines = [
    "#!/bin/sh",
    `case $1 in ${first}) ns=${one};; ${second}) ns=${two};; *) echo "No route to host $1" >&2; exit 255;; esac`,
    "shift",
    `exec ip netns exec $ns unshare --uts sh -c "hostname $ns; cd ${folder}; $*"`,
  ];
  await writeFile(join(folder, "agent"), `${lines.join("\n")}\n`);
  await chmod(join(folder, "agent"), 0o755);
  return {
    folder,
    onFirst: ["ip", "netns", "exec", one],
    env: {
      XDG_CACHE_HOME: folder,
      OMPI_MCA_plm_rsh_agent: join(folder, "agent"),
      OMPI_MCA_btl_tcp_if_include: network,
      OMPI_MCA_oob_tcp_if_include: network,
    },
    limit(rate) {
      for (const [name, device] of [
        [one, link],
        [two, peer],
      ] as const) {
        // A larger burst would hide a part of each exchange.
        const filter = ["root", "tbf", "rate", rate, "burst", "600kb", "latency", "100ms"];
        run("tc", ["-n", name, "qdisc", "replace", "dev", device, ...filter]);
      }
    },
    async close() {
      for (const name of [one, two]) spawnSync("ip", ["netns", "del", name]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Throws Error with the program's message if it fails. */
function run(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}
