// Courses as curves: uPlot, in the colours of the page, over an axis whose idle stretches are folded.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Scale } from "./scale.ts";
import { span } from "./time.ts";

export interface Curve {
  label: string;
  values: number[];
  /** A variable of the style sheet. */
  colour: string;
  /** On which of the two axes it is read. */
  axis: "left" | "right";
  dashed?: boolean;
}

const HEIGHT = 220;
/** Pixels from one tick to the next. */
const APART = 64;

export function Plot({ at, curves, scale, name, left, right }: { at: number[]; curves: Curve[]; scale: Scale; name: string; left: string; right: string }) {
  const box = useRef<HTMLDivElement>(null);
  const dark = useDark();
  useEffect(() => {
    const place = box.current;
    if (!place) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (variable: string) => style.getPropertyValue(variable).trim();
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "11px system-ui, sans-serif" };
    const whole = (_: uPlot, splits: number[]) => splits.map((value) => (Number.isInteger(value) ? String(value) : ""));
    const counted = { range: (_: uPlot, _low: number, high: number): [number, number] => [0, Math.max(1, Math.ceil((high || 0) * 1.15))] };
    const chart = new uPlot(
      {
        width: place.clientWidth || 400, height: HEIGHT,
        scales: { x: { time: false, range: [0, 1] }, left: counted, right: counted },
        axes: [
          { ...axis, splits: (chart) => apart(scale.ticks.map(scale.place), APART / (chart.bbox.width / devicePixelRatio)), values: (_, splits) => splits.map((place) => span(Math.round(scale.at(place)))) },
          { ...axis, scale: "left", values: whole, label: left, labelFont: axis.font, labelSize: 18, size: 36 },
          { ...axis, scale: "right", side: 1, values: whole, grid: { show: false }, label: right, labelFont: axis.font, labelSize: 18, size: 36 },
        ],
        hooks: {
          drawClear: [
            ({ ctx, bbox, valToPos }) => {
              ctx.fillStyle = colour("--fold");
              for (const { from, to } of scale.folds) {
                const left = valToPos(scale.place(from), "x", true);
                ctx.fillRect(left, bbox.top, valToPos(scale.place(to), "x", true) - left, bbox.height);
              }
            },
          ],
        },
        series: [
          { label: "at", value: (_, value) => (value === null ? "" : span(scale.at(value))) },
          ...curves.map((curve) => ({
            label: curve.label, scale: curve.axis, stroke: colour(curve.colour), width: 2, points: { show: false },
            paths: uPlot.paths.stepped!({ align: 1 }), ...(curve.dashed ? { dash: [6, 4] } : {}),
          })),
        ],
      },
      [at.map(scale.place), ...curves.map((curve) => curve.values)],
      place,
    );
    const watch = new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT }));
    watch.observe(place);
    return () => {
      watch.disconnect();
      chart.destroy();
    };
  }, [at, curves, dark]);
  return <div class="plot" ref={box} role="group" aria-label={name} />;
}

/** Those that stand at least so far behind the one before. */
function apart(places: number[], least: number): number[] {
  const kept: number[] = [];
  for (const place of places) if (!kept.length || place - kept.at(-1)! >= least) kept.push(place);
  return kept;
}

function useDark(): boolean {
  const [wanted] = useState(() => matchMedia("(prefers-color-scheme: dark)"));
  const [dark, setDark] = useState(wanted.matches);
  useEffect(() => {
    const follow = () => setDark(wanted.matches);
    wanted.addEventListener("change", follow);
    return () => wanted.removeEventListener("change", follow);
  }, []);
  return dark;
}
