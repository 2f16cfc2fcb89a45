// A real node for the browser tests: built once, started on a free port with its own data, killed and started again.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

// The node reads TRACKMESH_… as its flags and refuses those that it does not know: make's own must not reach it.
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TRACKMESH_")));

let built;

/** Builds ./cmd/node into a temporary folder; E2E_NODE names a program that is there already. */
function program() {
  if (process.env.E2E_NODE) return process.env.E2E_NODE;
  if (!built) {
    const folder = mkdtempSync(join(tmpdir(), "trackmesh-e2e-bin-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    built = join(folder, "trackmesh");
    execFileSync("go", ["build", "-o", built, "./cmd/node"], { cwd: root, stdio: "inherit", env: { ...process.env, CGO_ENABLED: "0" } });
  }
  return built;
}

async function freePort() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class FleetNode {
  #process;
  #log = [];
  #data;
  #gone;

  static async start(...flags) {
    const node = new FleetNode();
    node.flags = flags;
    node.#data = mkdtempSync(join(tmpdir(), "trackmesh-e2e-"));
    node.port = await freePort();
    node.url = `http://127.0.0.1:${node.port}/`;
    await node.run();
    return node;
  }

  /** Starts the program, on the same port and data as before, and waits until it says that it is ready. */
  async run() {
    const flags = [`--http-addr=127.0.0.1:${this.port}`, `--data-dir=${this.#data}`, "--demo=off", "--partitions=1", "--node-name=e2e", ...this.flags];
    this.#process = spawn(program(), flags, { stdio: ["ignore", "pipe", "pipe"], env: environment });
    this.#gone = once(this.#process, "exit");
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream.on("data", (text) => this.#log.push(String(text)));
    await until("the node is ready", async () => {
      if (this.#process.exitCode !== null) throw new Error(`the node ended with ${this.#process.exitCode}`);
      return (await fetch(`${this.url}readyz`).catch(() => null))?.ok;
    }).catch((err) => {
      throw new Error(`${err.message}; it said:\n${this.#log.join("")}`);
    });
  }

  async kill(signal = "SIGKILL") {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill(signal);
    await this.#gone;
  }

  async stop() {
    await this.kill("SIGINT");
    rmSync(this.#data, { recursive: true, force: true });
  }

  async ask(method, path, body, contentType = "application/json") {
    const answer = await fetch(this.url + path, { method, body, headers: body ? { "content-type": contentType } : {} });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  /** Stores fixes and fails when one was refused. */
  async post(fixes) {
    const answer = await this.ask("POST", "api/v1/positions", fixes.map((f) => JSON.stringify(f)).join("\n"), "application/x-ndjson");
    if (answer.stored !== fixes.length) throw new Error(`of ${fixes.length} fixes ${answer.stored} were stored: ${JSON.stringify(answer.errors)}`);
  }

  put(fence) {
    return this.ask("PUT", `api/v1/fences/${fence.id}?wait=5s`, JSON.stringify(fence), "application/geo+json");
  }
}

/** Asks until the answer is truthy, and returns it. */
export async function until(what, ask, timeoutMs = 30_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
