/** Hosts of a job. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../errors.ts";
import { hostArguments, parseHosts, processesOn, requireReachable } from "./hosts.ts";

test("hosts with their numbers of processes", () => {
  const hosts = parseHosts("a:2, b.example.org,10.0.0.7:1");
  assert.deepEqual(hosts, [
    { name: "a", slots: 2 },
    { name: "b.example.org", slots: 1 },
    { name: "10.0.0.7", slots: 1 },
  ]);
  assert.equal(processesOn(hosts), 4);
  assert.deepEqual(hostArguments(hosts), ["--host", "a:2,b.example.org:1,10.0.0.7:1"]);
  for (const wrong of ["", "a:0", "a:1,,b:1", "-oProxyCommand=x", "a b", "a:1:2", "a:1,a:2"]) {
    assert.throws(() => parseHosts(wrong), /expected (HOST:PROCESSES|each host once)/, wrong);
  }
});

test("hosts that do not answer are named, with what was said; this one needs no connection", async () => {
  const env = { OMPI_MCA_plm_rsh_agent: `${process.execPath} -e console.error("no.route");process.exit(1)` };
  await assert.rejects(
    requireReachable(parseHosts("localhost:1,one,two"), env),
    (error) =>
      error instanceof UsageError &&
      /^--hosts: expected hosts that answer, got one \(no.route\); two \(no.route\); check/.test(error.message),
  );
  await requireReachable(parseHosts("localhost:1"), env);
});
