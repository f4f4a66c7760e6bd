// The clock of a case, which steps may move, beside the machine's, which everything in a story goes by.

import type { Story } from "./model.ts";

/** Both have a tenth of a millisecond. */
const ROUNDED = 0.2;

/** What the clock of the case showed at a moment of the story: milliseconds since the case began, by that clock. */
export function ownTime(clock: Story["clock"], at: number): number {
  return at + (clock.findLast(([moved]) => at >= moved - ROUNDED)?.[1] ?? 0);
}
