// What a run has shown of criteria, queues and contracts, and what it has not.

import type { Coverage, Head, Keyword, Operation } from "./model.ts";

export interface Criterion {
  id: string;
  sentence: string;
  /** Numbers of the cases that cover it. */
  cases: number[];
}

/** Those without a case first, else by id, 2 before 10. */
export function criteriaOf(known: Record<string, string>, cases: readonly Head[]): Criterion[] {
  const found = new Map<string, number[]>(Object.keys(known).map((id) => [id, []]));
  cases.forEach((head, number) => {
    for (const id of head.covers) found.set(id, [...(found.get(id) ?? []), number]);
  });
  return [...found]
    .map(([id, numbers]) => ({ id, sentence: known[id] ?? "", cases: numbers }))
    .sort((a, b) => Number(a.cases.length > 0) - Number(b.cases.length > 0) || a.id.localeCompare(b.id, "en", { numeric: true }));
}

/** Outcomes that no message of a queue has had, by queue. */
export function neverSeen({ outcomes, queues }: Coverage): number {
  return queues.reduce((sum, [, counts]) => sum + outcomes.filter((outcome) => !counts[outcome]).length, 0);
}

export type Exercise = "broken" | "held" | "unmet";

/** Whether a keyword was broken, only held, or met by no value at all. */
export function exerciseOf([, , , met, broken]: Keyword): Exercise {
  return broken ? "broken" : met ? "held" : "unmet";
}

const ORDER: Exercise[] = ["unmet", "held", "broken"];

/** What nothing has tried comes first. */
export function leastTried(keywords: readonly Keyword[]): Keyword[] {
  return [...keywords].sort((a, b) => ORDER.indexOf(exerciseOf(a)) - ORDER.indexOf(exerciseOf(b)));
}

/** In the place of a status, as `engine/operations.py` has them: a request that shows nothing of the contract. */
const OUTSIDE = "outside";
const NO_ANSWER = [OUTSIDE, "hung up"];

/** Whether any request to an operation was as the contract says. */
export function wasAsked([, answers]: Operation): boolean {
  return answers.some(([status, count]) => count > 0 && status !== OUTSIDE);
}

/** Statuses that an operation may answer and never has. */
export function neverAnswered([, answers]: Operation): string[] {
  return answers.filter(([status, count]) => !count && !NO_ANSWER.includes(status)).map(([status]) => status);
}

/** Those that were never asked come first, then those with an answer that never came. */
export function leastAsked(operations: readonly Operation[]): Operation[] {
  const rank = (each: Operation) => (wasAsked(each) ? (neverAnswered(each).length ? 1 : 2) : 0);
  return [...operations].sort((a, b) => rank(a) - rank(b));
}
