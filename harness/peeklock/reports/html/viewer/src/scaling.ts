// A scaled service over the time of its case, by the case's own clock: its messages, what its rule wanted, what ran.

import { replicas } from "./film.ts";
import type { Life } from "./ledger.ts";
import type { Scaled, Story } from "./model.ts";
import { ownTime } from "./own_time.ts";

/** Columns of equal length: each value holds from its moment to the next one. */
export interface Course {
  at: number[];
  /** In the queues of the rule, those that are locked included; none where the rule looks at no queue. */
  messages: number[];
  /** Replicas that the rule wanted, or executions that ran. */
  wanted: number[];
  /** Processes. */
  running: number[];
}

type Line = "messages" | "wanted" | "running";
type Change = [at: number, line: Line, value: number];

const THERE = new Set(["active", "locked"]);

export function courseOf(scaled: Scaled, story: Story, lives: readonly Life[]): Course {
  const own = (at: number) => ownTime(story.clock, at);
  const changes = [...messages(scaled, lives, own), ...wanted(scaled), ...running(scaled, story, lives, own)].sort((a, b) => a[0] - b[0]);
  const course: Course = { at: [], messages: [], wanted: [], running: [] };
  const now = { messages: 0, wanted: scaled.trigger ? 0 : scaled.first, running: 0 };
  function hold(at: number): void {
    if (course.at.at(-1) !== at) course.at.push(at);
    const last = course.at.length - 1;
    for (const line of ["messages", "wanted", "running"] as Line[]) course[line][last] = now[line];
  }
  hold(0);
  for (const [at, line, value] of changes) {
    now[line] = value;
    hold(Math.max(0, at));
  }
  hold(Math.max(own(story.ended), course.at.at(-1)!));
  return course;
}

function messages(scaled: Scaled, lives: readonly Life[], own: (at: number) => number): Change[] {
  const queues = new Set(scaled.queues.map(([name]) => name.toLowerCase()));
  const steps = lives.flatMap((life) => {
    if (!queues.has(life.queue.toLowerCase())) return [];
    let there = 0;
    return life.history.flatMap(({ at, outcome }): [number, number][] => {
      const after = THERE.has(outcome) ? 1 : 0, by = after - there;
      there = after;
      return by ? [[own(at), by]] : [];
    });
  });
  return summed(steps, "messages");
}

function wanted(scaled: Scaled): Change[] {
  if (!scaled.trigger) return scaled.changes.map(([at, , to]) => [at, "wanted", to]);
  return summed(scaled.executions.flatMap(([at, ended]): [number, number][] => [[at, 1], ...(ended === null ? [] : [[ended, -1] as [number, number]])]), "wanted");
}

function running(scaled: Scaled, story: Story, lives: readonly Life[], own: (at: number) => number): Change[] {
  const mine = replicas(story, lives).filter((each) => each.service === scaled.service);
  return summed(mine.map(({ at, up }) => [own(at), up ? 1 : -1]), "running");
}

function summed(steps: [at: number, by: number][], line: Line): Change[] {
  let sum = 0;
  return steps.sort((a, b) => a[0] - b[0]).map(([at, by]) => [at, line, (sum += by)]);
}

/** The rule in a few words. */
export function ruleOf(scaled: Scaled): string {
  const queues = scaled.queues.map(([queue, messages, activation]) => `${queue}: ${messages} message${messages === 1 ? "" : "s"} each${activation ? `, from ${activation + 1} on` : ""}`);
  const limits = `${scaled.trigger ? "at most" : `${scaled.min} to`} ${scaled.max} ${scaled.trigger ? "executions" : "replicas"}`;
  const times = [scaled.queues.length ? `looks every ${seconds(scaled.polling)}` : "", scaled.trigger || scaled.min ? "" : `none after ${seconds(scaled.cooldown)} without work`];
  return [scaled.trigger && `job, started by ${{ event: "messages", schedule: "its schedule", manual: "steps" }[scaled.trigger] ?? scaled.trigger}`, ...queues, limits, ...times].filter(Boolean).join(" · ");
}

function seconds(value: number): string {
  return value >= 120 && value % 60 === 0 ? `${value / 60} min` : `${value} s`;
}
