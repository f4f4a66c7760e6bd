// Durations for people.

export function span(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  if (size < 10) return `${round(milliseconds, 1)} ms`;
  if (size < 1000) return `${Math.round(milliseconds)} ms`;
  if (size < 60_000) return `${round(milliseconds / 1000, size < 10_000 ? 2 : 1)} s`;
  const minutes = Math.floor(size / 60_000);
  return `${minutes} min ${Math.round((size % 60_000) / 1000)} s`;
}

/** A moment of a case, as in `+1.204 s`. */
export function moment(milliseconds: number): string {
  return Math.abs(milliseconds) < 1000 ? `${Math.round(milliseconds)} ms` : `${round(milliseconds / 1000, 3)} s`;
}

function round(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
