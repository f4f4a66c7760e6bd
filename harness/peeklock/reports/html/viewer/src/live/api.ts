// What the page asks of its server, in the shapes of `ui/shown.py`, `ui/namespace.py` and `ui/views/`.

export interface Counts {
  name: string;
  active: number;
  locked: number;
  scheduled: number;
  deferred: number;
  dead_letter: number;
  transfer_dead_letter: number;
  status: string;
  receivers: number;
  rules: string[];
}

export interface Topic extends Counts {
  subscriptions: Counts[];
}

export interface Entities {
  queues: Counts[];
  topics: Topic[];
  address: string;
  version: string;
}

export interface Page {
  /** The one that is looked into; empty where none stands. */
  environment: string;
  environments: string[];
  /** Whether it belongs to a project, whose stack, blobs and tables are shown too. */
  project: boolean;
  /** What was done by hand, a line each. */
  acts: string[];
}

export interface Blob {
  name: string;
  /** False where its name holds what looks like a secret, which is masked. */
  opens: boolean;
  size: number;
  type: string;
  /** Milliseconds since 1970. */
  written: number;
}

export interface BlobContent {
  size: number;
  type: string;
  written: number;
  metadata: Record<string, string>;
  picture: boolean;
  /** Empty where it is no text. */
  text: string;
  hex: string;
}

export interface Table {
  id: number;
  name: string;
  count: number;
  /** Whether there are more than `count`. */
  more: boolean;
}

export interface ScenarioFile {
  file: string;
  title: string;
  /** Why it cannot be run; empty while it can. */
  problem: string;
  cases: { case: string; name: string; tags: string[]; covers: string[] }[];
}

export interface CaseState {
  case: string;
  /** `running`, an outcome, or `ended` with its run. */
  outcome: string;
  step?: string;
  waits?: boolean;
  /** Of one that has ended. */
  seconds?: number;
  reason?: string;
  cause?: string;
}

export interface Run {
  /** As `run-7`; empty before it has begun. */
  run: string;
  planned: number;
  doing: string;
  cases: CaseState[];
  running: boolean;
  stopping: boolean;
  exit_code: number | null;
  said: string;
  report: boolean;
}

export interface ClockState {
  movable: boolean;
  /** Milliseconds since 1970. */
  now: number;
  /** Seconds. */
  ahead: number;
  why?: string;
  how?: string;
}

export interface Relay {
  targets: { name: string; kinds: string[] }[];
  kinds: Record<string, { summary: string; short: string; counted: boolean }>;
  faults: { target: string; kind: string; struck: number; over: boolean }[];
}

export interface Rows extends Omit<Table, "id"> {
  columns: { name: string; type: string; key: boolean }[];
  rows: (string | null)[][];
}

export interface FaultKind {
  kind: string;
  summary: string;
  /** It strikes in the moment in which it is begun, and is over. */
  at_once: boolean;
  /** It waits for its moments, and is over after so many. */
  counted: boolean;
}

export interface Fault {
  id: string;
  fault: string;
  entity: string | null;
  struck: number;
  /** Strikes to come; null: until it is cleared. */
  left: number | null;
  active: boolean;
}

export interface Process {
  /** `postgres`, or `orders/worker.0`. */
  name: string;
  pid: number;
  /** Seconds since 1970. */
  since: number;
  ended: number | null;
  paused: boolean;
  /** Whether it is a service that can be started anew. */
  restarts: boolean;
}

export interface Stack {
  up: boolean;
  root: string;
  backend: string;
  /** Environments that a run uses. */
  in_use: number;
  ports: Record<string, number>;
  processes: Process[];
  logs: string[];
}

export interface Message {
  sequence: number;
  message_id: string;
  state: string;
  deliveries: number;
  enqueued_at: number | null;
  reason: string;
  description: string;
  size: number;
  /** Empty where the body is no text. */
  text: string;
  hex: string;
  properties: Record<string, unknown>;
  system: Record<string, unknown>;
  annotations: Record<string, unknown>;
}

/** An entry of the ledger; `at` in seconds since 1970. */
export interface Told {
  n: number;
  at: number;
  entity: string;
  event: string;
  sequence?: number;
  message_id?: string;
  delivery?: number;
  consumer?: string | null;
  session_id?: string;
  lost?: number;
  details?: Record<string, unknown>;
}

async function ask(path: string, init?: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Error("`peeklock ui` has ended: start it again, and open the link that it prints.");
  }
  const told = (await response.json()) as unknown;
  if (response.ok) return told;
  const { error, fix } = told as { error: string; fix: string };
  throw new Error(fix ? `${error} How to fix: ${fix}` : error);
}

function query(values: Record<string, string | number>): string {
  return new URLSearchParams(Object.entries(values).map(([key, value]) => [key, String(value)])).toString();
}

function act(path: string, body: unknown): Promise<unknown> {
  return ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

export const page = () => ask("/api/page") as Promise<Page>;
export const choose = (name: string) => act("/api/choose", { name });
export const containers = () => ask("/api/containers") as Promise<string[]>;
export const blobs = (container: string, prefix: string, after: string) => ask(`/api/blobs?${query({ container, prefix, after })}`) as Promise<{ blobs: Blob[]; after: string }>;
export const blob = (container: string, name: string) => ask(`/api/blob?${query({ container, name })}`) as Promise<BlobContent>;
export const picture = (container: string, name: string) => `/api/picture?${query({ container, name })}`;
export const cases = () => ask("/api/cases") as Promise<ScenarioFile[]>;
/** Null before the first one. */
export const run = () => (ask("/api/run") as Promise<Partial<Run>>).then((found) => (found.cases ? (found as Run) : null));
export const runCases = (targets: string[]) => act("/api/run", { targets });
export const stopCases = () => act("/api/stop", {});
export const clockState = () => ask("/api/clock") as Promise<ClockState>;
export const jump = (advance: string) => act("/api/clock", { advance }) as Promise<{ now: number }>;
export const relay = () => ask("/api/relay") as Promise<Relay>;
export const beginRelayFault = (body: { on: string; fault: string; value: string; times: number | null }) => act("/api/relay/begin", body);
export const clearRelayFaults = (on: string) => act("/api/relay/clear", { on }) as Promise<{ struck: number }>;
export const tables = () => ask("/api/tables") as Promise<Table[]>;
export const rows = (table: number, from: number) => ask(`/api/rows?${query({ table, from })}`) as Promise<Rows>;
export const entities = () => ask("/api/entities") as Promise<Entities>;
export const messages = (entity: string, from: number, most: number) => ask(`/api/messages?${query({ entity, from, most })}`) as Promise<Message[]>;
export const history = (id: string) => ask(`/api/history?${query({ message_id: id })}`) as Promise<Told[]>;
export const send = (body: { entity: string; message: Record<string, unknown>; scheduled_in?: string; times: number }) => act("/api/send", body) as Promise<{ sent: number }>;
export const resubmit = (entity: string, sequences: number[] | null) => act("/api/resubmit", { entity, sequences }) as Promise<{ sent: number; left: number; to: string }>;
export const purge = (entity: string) => act("/api/purge", { entity }) as Promise<{ purged: number }>;
export const faults = () => ask("/api/faults") as Promise<{ kinds: FaultKind[]; faults: Fault[] }>;
export const beginFault = (body: { fault: string; entity: string; times: number | null }) => act("/api/fault/begin", body) as Promise<{ struck: number }>;
export const endFault = (id: string) => act("/api/fault/end", { id });
export const stack = () => ask("/api/stack") as Promise<Stack>;
export const log = (name: string) => ask(`/api/log?${query({ name })}`) as Promise<{ name: string; lines: string[]; size: number }>;
export const restart = (name: string) => act("/api/restart", { name }) as Promise<{ restarted: string }>;
export const forget = () => act("/api/forget", {});
