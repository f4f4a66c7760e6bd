// What a record holds, in the shapes of `case_data.py`. Times are milliseconds since the case began.

export type Outcome = "passed" | "failed" | "skipped" | "error";

export interface Head {
  file: string;
  name: string;
  outcome: Outcome;
  repeat: number;
  covers: string[];
  tags: string[];
  /** Set-up, waiting, working. */
  seconds: [number, number, number];
  why: string;
  left_out?: boolean;
  /** The oldest first. */
  history: Result[];
  /** Of a case that failed. */
  passed: Passed | null;
}

export interface Run {
  run?: string;
  at?: number;
  backend?: string;
  cases?: number;
  seconds?: number;
  interrupted?: boolean;
  unjudged?: number;
  /** Of shards that were merged: how many of how many. */
  merged?: string;
  /** Why they are not the whole. */
  problems?: string[];
  version: string;
  root?: string;
  /** A sentence for each acceptance criterion that files of the run may cover. */
  criteria?: Record<string, string>;
}

/** What all cases together have shown. Cases are named by their numbers, the first few. */
export interface Coverage {
  /** All that can happen to a message. */
  outcomes: string[];
  queues: [queue: string, counts: Record<string, [count: number, cases: number[]]>][];
  contracts: [queue: string, schema: string, keywords: Keyword[]][];
  /** Of the contracts of stand-ins, by file. */
  operations: [contract: string, operations: Operation[]][];
}

/** As `POST /jobs/{id}`, with every status that it may answer (`200`, `4XX`, `default`), and what else became of requests. */
export type Operation = [name: string, answers: [status: string, count: number, cases: number[]][]];

/** A keyword of a schema: about which value, its name, what it wants; how many values met and broke it. */
export type Keyword = [place: string, name: string, wanted: string, met: number, broken: number, cases: number[]];

/** A run before this one, how the case ended in it (`flaky` when both ways), and its seconds. */
export type Result = [run: string, outcome: Outcome | "flaky", seconds: number];

/** The last run in which the case passed, and the number of its story; null for one that had no room in the page. */
export type Passed = [run: string, story: number | null];

/** At, actor, text, alarming. */
export type Moment = [number, string, string, 0 | 1];

export interface Failure {
  headline: string;
  step: string;
  where: string;
  excerpt: string[];
  /** Path, expected, actual. */
  mismatches: [string, string, string][];
  actual: string;
  notes: string[];
  timeline: Moment[];
  likely_cause: string;
  also: string[];
}

export interface StepRun {
  at: number;
  file: string;
  line: number;
  last_line: number;
  depth: number;
  name: string;
  verb: string;
  ms: number;
  waiting: number;
  tries: number;
  ok: boolean;
  /** Of a step with `eventually`: looks one after the other that saw the same, and what was missing then. */
  looks?: Looks[];
  /** JSON: what its verb shows of what it did. Of a load a `LoadFigures`. */
  shown?: string;
}

/** What Locust counted and measured of one act, or of all. Times are seconds, rates are for a second. */
export interface Measured {
  requests: number;
  failures: number;
  rate: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface LoadFigures extends Measured {
  iterations: number;
  seconds: number;
  acts: Record<string, Measured>;
  errors: { act: string; error: string; count: number }[];
  /** One a second. */
  samples: { at: number; users: number; requests: number; failures: number; rate: number; p95: number; waiting: number }[];
}

/** Milliseconds since the step began. */
export type Looks = [first: number, last: number, count: number, missing: string];

/** One operation that a service traced. */
export interface Span {
  at: number;
  ms: number;
  service: string;
  name: string;
  kind: string;
  trace: string;
  id: string;
  /** Empty for the first of a trace. */
  parent: string;
  status: string;
  message: string;
  /** JSON. */
  attributes: string;
  events: [name: string, attributes: string][];
  links: string[];
}

export interface Listing {
  part: string;
  file: string;
  first: number;
  lines: string[];
  steps: number[];
}

export interface Entry {
  n: number;
  at: number;
  entity: string;
  event: string;
  seq?: number;
  id?: string;
  delivery?: number;
  who?: string;
  who_as?: string;
  sender?: string;
  sender_as?: string;
  session?: string;
  body?: string;
  /** What the schema of its queue finds wrong: path and sentence. */
  wrong?: [path: string, sentence: string][];
  /** JSON, as are `details`. */
  props?: string;
  details?: string;
}

/** At, service, replica, text. */
export type LogLine = [number, string, number, string];

export interface Exit {
  at: number;
  service: string;
  replica: number;
  code: number;
  expected: boolean;
}

export interface Exchange {
  at: number;
  ms: number | null;
  caller: string;
  target: string;
  summary: string;
  alarming: boolean;
  view: string;
}

/** A transaction of a service that changed something, or was to: verbs and tables, never a value. */
export interface Transaction {
  at: number;
  ms: number;
  /** Or one replica of it; empty where that is not known. */
  service: string;
  end: "committed" | "rolled back" | "failed" | "connection lost";
  /** The SQLSTATE of its last error; empty where there was none. */
  error: string;
  changes: string[];
  /** What it consisted of, that which only reads too, and how often. */
  statements: [text: string, count: number][];
}

export interface Fault {
  at: number;
  target: string;
  text: string;
}

/** A service with a rule of scaling. Moments are milliseconds since the case began, by the clock of the case. */
export interface Scaled {
  service: string;
  /** Name, messages for one replica, and how many there may be without work. */
  queues: [queue: string, messages: number, activation: number][];
  min: number;
  max: number;
  /** Seconds. */
  polling: number;
  cooldown: number;
  /** Of a job: `event`, `schedule` or `manual`; else empty. */
  trigger: string;
  /** Replicas at the begin. */
  first: number;
  changes: [at: number, before: number, after: number, count: number, why: string][];
  executions: [at: number, ended: number | null, name: string, status: string, reason: string][];
}

export interface Story {
  started: number;
  ended: number;
  reason: string;
  traceback: string;
  failure: Failure | null;
  steps: StepRun[];
  listings: Listing[];
  entries: Entry[];
  lines: LogLine[];
  exits: Exit[];
  moments: Moment[];
  exchanges: Exchange[];
  transactions: Transaction[];
  faults: Fault[];
  spans: Span[];
  scaled: Scaled[];
  /** When the clock of the case was moved, and how far it has been ahead of its begin from then on. */
  clock: [at: number, ahead: number][];
  left: string[];
}

/** What a story without a record lacks is empty. */
export function whole(told: Partial<Story>): Story {
  return {
    started: 0, ended: 0, reason: "", traceback: "", failure: null, steps: [], listings: [], entries: [], lines: [], exits: [],
    moments: [], exchanges: [], transactions: [], faults: [], spans: [], scaled: [], clock: [], left: [], ...told,
  };
}

export function total(head: Head): number {
  return head.seconds[0] + head.seconds[1] + head.seconds[2];
}

/** Text as JSON; the text itself where it is none, as where a secret in it was masked or its end was cut. */
export function parsed(text: string | undefined): unknown {
  if (!text) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function record(text: string | undefined): Record<string, unknown> {
  const value = parsed(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
