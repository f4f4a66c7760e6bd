// Small stories, as a record holds them.

import { whole, type Entry, type Story } from "../src/model.ts";

let number = 0;

export function entry(at: number, event: string, more: Partial<Entry> = {}): Entry {
  number += 1;
  return { n: number, at, entity: "jobs", event, seq: 1, id: "a", ...more };
}

/** An entry with which a message comes into being. */
export function born(at: number, event: string, more: Partial<Entry> = {}): Entry {
  return entry(at, event, { sender: "api", body: "{}", props: '{"subject": "job"}', ...more });
}

export function story(told: Partial<Story>): Story {
  return whole({ ended: 1000, ...told });
}
