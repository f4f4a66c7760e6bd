// Where a moment stands on the axis. Stretches in which nothing happens are folded, so that what happens has room.

export interface Fold {
  from: number;
  to: number;
}

export interface Scale {
  /** 0 to 1. */
  place(at: number): number;
  /** The moment that has such a place. */
  at(place: number): number;
  ticks: number[];
  folds: Fold[];
}

/** A stretch with nothing in it is folded when it is longer than this part of all. */
const LONG = 1 / 9;
/** A fold has so much of the room of a stretch that is just not folded. */
const FOLDED = 0.35;

/** `gap`: the part of the room that ticks stand apart at least. */
export function scaleOf(moments: readonly number[], end: number, folding: boolean, gap = 0.09): Scale {
  const last = Math.max(end, 1);
  const points = [...new Set([0, ...moments.filter((at) => at > 0 && at < last), last])].sort((a, b) => a - b);
  const longest = last * LONG;
  const folds: Fold[] = [];
  const widths: number[] = [];
  for (let i = 1; i < points.length; i++) {
    const from = points[i - 1]!, to = points[i]!;
    const fold = folding && to - from > longest;
    if (fold) folds.push({ from, to });
    widths.push(fold ? longest * FOLDED : to - from);
  }
  const all = widths.reduce((sum, width) => sum + width, 0) || 1;
  const starts: number[] = [0];
  for (const width of widths) starts.push(starts.at(-1)! + width / all);

  function place(at: number): number {
    if (at <= 0) return 0;
    if (at >= last) return 1;
    return between(points, starts, at);
  }
  function at(place: number): number {
    return place <= 0 ? 0 : place >= 1 ? last : between(starts, points, place);
  }
  return { place, at, ticks: ticksOf(place, last, gap), folds };
}

/** What the second of two rising rows has where the first has `value`. */
function between(from: readonly number[], to: readonly number[], value: number): number {
  let low = 0, high = from.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle]! <= value) low = middle;
    else high = middle;
  }
  return to[low]! + (to[high]! - to[low]!) * ((value - from[low]!) / (from[high]! - from[low]! || 1));
}

/** Round times that stand `gap` apart. */
function ticksOf(place: (at: number) => number, last: number, gap: number): number[] {
  const ticks = [0];
  for (const step of steps(last)) {
    for (let at = step; at < last; at += step) {
      const here = place(at);
      if (here < 0.96 && ticks.every((tick) => Math.abs(place(tick) - here) >= gap)) ticks.push(at);
    }
  }
  return ticks.sort((a, b) => a - b);
}

/** From coarse to fine: so that the round ones come first. */
function steps(last: number): number[] {
  const all: number[] = [];
  for (let power = 10 ** Math.floor(Math.log10(last)); power >= last / 500 && power >= 1; power /= 10) all.push(power * 5, power * 2, power);
  return all.filter((step) => step < last);
}
