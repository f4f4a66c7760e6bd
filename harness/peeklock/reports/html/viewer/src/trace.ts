// The lanes of a case in the format of Chrome's tracing, which https://ui.perfetto.dev opens.

import type { Layout } from "./lanes.ts";

interface TraceEvent {
  ph: "X" | "i" | "M";
  name: string;
  pid: 1;
  tid: number;
  /** Microseconds, as is `dur`. */
  ts?: number;
  dur?: number;
  cat?: string;
  s?: "t" | "g";
  args?: Record<string, unknown>;
}

/** A thread for each row of a lane: what stands on one thread must not overlap. */
export function chromeTrace(name: string, layout: Layout): { traceEvents: TraceEvent[] } {
  const events: TraceEvent[] = [{ ph: "M", name: "process_name", pid: 1, tid: 0, args: { name } }];
  const threads = new Map<string, number>();
  function thread(lane: string, row: number): number {
    return threads.get(`${lane}\n${Math.max(0, row)}`) ?? 0;
  }
  for (const lane of layout.lanes) {
    for (let row = 0; row < lane.rows; row++) {
      const tid = threads.size + 1;
      threads.set(`${lane.id}\n${row}`, tid);
      const label = lane.kind === "deadletter" ? `${lane.label} dead letters` : lane.label;
      events.push({ ph: "M", name: "thread_name", pid: 1, tid, args: { name: row ? `${label} (${row + 1})` : label } });
      events.push({ ph: "M", name: "thread_sort_index", pid: 1, tid, args: { sort_index: tid } });
    }
  }
  for (const bar of layout.bars) {
    events.push({ ph: "X", name: bar.label, cat: bar.tone, pid: 1, tid: thread(bar.lane, bar.row), ts: bar.from * 1000, dur: Math.max(1, (bar.to - bar.from) * 1000), args: { ended: !bar.open } });
  }
  for (const dot of layout.dots) events.push({ ph: "i", s: "t", name: dot.label, cat: dot.tone, pid: 1, tid: thread(dot.lane, dot.row), ts: dot.at * 1000 });
  for (const band of layout.bands) events.push({ ph: "i", s: "g", name: band.label, cat: band.tone, pid: 1, tid: 0, ts: band.from * 1000 });
  return { traceEvents: events };
}
