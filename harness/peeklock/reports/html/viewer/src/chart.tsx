// The lanes as a picture. What is clicked in it is shown in detail.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useCursor, type Cursor } from "./cursor.ts";
import type { Film } from "./film.ts";
import type { Bar, Dot, Lane, Layout, Place } from "./lanes.ts";
import { ownTime } from "./own_time.ts";
import { scaleOf } from "./scale.ts";
import { Scrubber } from "./scrubber.tsx";
import { moment, span } from "./time.ts";

type Select = (id: string, at?: number) => void;

interface Props {
  layout: Layout;
  film: Film;
  cursor: Cursor;
  selected: string;
  select: Select;
}

const ROW = 20;
const PAD = 7;
const TOP = 34;
/** Pixels that the text of a tick takes, with some air. */
const TICK = 52;
/** Of the ruler below the lanes, which tells the time of the case's own clock where that was moved. */
const OWN_RULER = 16;
const MARKS = { test: "▷", service: "■", spans: "∿", queue: "≡", deadletter: "†", sessions: "⚭", store: "▤", standin: "◇" };
const KINDS = { test: "the test", service: "service", spans: "traced:", queue: "queue", deadletter: "dead-letter queue", sessions: "sessions of", store: "stored:", standin: "stand-in" };

export function Chart({ layout, film, cursor, selected, select }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(600);
  const [zoom, setZoom] = useState(1);
  const [folding, setFolding] = useState(true);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => entry && setRoom(entry.contentRect.width));
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const gutter = room < 560 ? 104 : 148;
  const width = Math.max(200, room - gutter - 18) * zoom;
  const gap = Math.max(0.09, TICK / width);
  const scale = useMemo(() => scaleOf(layout.points, layout.end, folding, gap), [layout, folding, gap]);
  const tops = useMemo(() => topsOf(layout.lanes), [layout]);
  const bottom = TOP + layout.lanes.reduce((sum, lane) => sum + heightOf(lane), 0) + 8;
  const height = bottom + (layout.clock.length ? OWN_RULER : 0);
  const x = (at: number) => scale.place(at) * width + 4;
  const y = (place: Place) => (tops.get(place.lane) ?? 0) + PAD + (place.row < 0 ? -3 : place.row * ROW + ROW / 2);
  useEffect(() => {
    const first = box.current?.querySelector(".chosen");
    first?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [selected, zoom]);
  /** The ruler at the top is what the time is dragged by. */
  function grab(event: PointerEvent) {
    const svg = event.currentTarget as SVGSVGElement;
    if (event.clientY - svg.getBoundingClientRect().top > TOP) return;
    svg.setPointerCapture(event.pointerId);
    drag(event);
  }
  function drag(event: PointerEvent) {
    const svg = event.currentTarget as SVGSVGElement;
    if (svg.hasPointerCapture(event.pointerId)) cursor.set(scale.at((event.clientX - svg.getBoundingClientRect().left - 4) / width));
  }
  const of = (id: string) => (id === selected ? "chosen" : selected && layout.links.some((link) => link.id === selected) ? "pale" : "");
  return (
    <section class="pane lanes" aria-label="Lanes">
      <div class="pane-head">
        <h2>What happened</h2>
        <span class="legend" aria-hidden="true">
          <i class="lock" /> lock <i class="work" /> work <i class="request" /> request <i class="bad" /> trouble
        </span>
        <button type="button" aria-pressed={folding} onClick={() => setFolding(!folding)} title="Fold stretches in which nothing happens">
          fold idle time
        </button>
        <button type="button" onClick={() => setZoom(Math.max(1, zoom / 2))} aria-label="Zoom out" disabled={zoom === 1}>
          −
        </button>
        <button type="button" onClick={() => setZoom(Math.min(32, zoom * 2))} aria-label="Zoom in">
          +
        </button>
      </div>
      <div class="chart" ref={box} tabIndex={0} role="region" aria-label="Lanes over time">
        <div class="names" style={{ width: `${gutter}px`, height: `${height}px` }}>
          {layout.lanes.map((lane) => (
            <div class={`lane-name ${lane.kind} ${lane.rows === 1 && !lane.more ? "long" : ""}`} style={{ top: `${tops.get(lane.id)}px`, height: `${heightOf(lane)}px` }} title={`${KINDS[lane.kind]} ${lane.id}`}>
              <span aria-hidden="true">{MARKS[lane.kind]}</span> <span class="text">{lane.label}</span>
              {lane.kind === "deadletter" ? <small> dead letters</small> : null}
              {lane.more ? <small> +{lane.more} more</small> : null}
            </div>
          ))}
          {layout.clock.length ? (
            <div class="lane-name own" style={{ top: `${bottom}px` }}>
              by its own clock
            </div>
          ) : null}
        </div>
        <svg width={width + 14} height={height} role="group" aria-label={`${layout.lanes.length} lanes`} onPointerDown={grab} onPointerMove={drag}>
          {scale.folds.map((fold, index) => (
            <g class="fold">
              <rect x={x(fold.from)} y={TOP - 6} width={x(fold.to) - x(fold.from)} height={height - TOP} />
              {index && x(fold.to) - x(scale.folds[index - 1]!.to) < 62 ? null : <text x={(x(fold.from) + x(fold.to)) / 2} y={12}>{`⋯ ${span(fold.to - fold.from)}`}</text>}
            </g>
          ))}
          {scale.ticks.map((tick) => (
            <g class="tick">
              <line x1={x(tick)} x2={x(tick)} y1={TOP - 6} y2={height} />
              <text x={x(tick)} y={TOP - 11}>
                {moment(tick)}
              </text>
              {layout.clock.length ? (
                <text class="own" x={x(tick)} y={height - 4}>
                  {span(Math.round(ownTime(layout.clock, tick)))}
                </text>
              ) : null}
            </g>
          ))}
          {layout.lanes.map((lane) => (
            <line class="lane" x1={0} x2={width + 14} y1={tops.get(lane.id)} y2={tops.get(lane.id)} />
          ))}
          {layout.bands.map((band) => (
            <g class={`band ${band.tone}`}>
              <rect x={x(band.from)} y={TOP - 6} width={Math.max(3, x(band.to) - x(band.from))} height={height - TOP} />
              <text x={Math.min(x(band.from) + 4, width - band.label.length * 6)} y={bottom - 4}>
                {band.label}
              </text>
            </g>
          ))}
          {layout.lines.map((line) => (
            <line class={`life ${of(line.id)}`} x1={x(line.from)} x2={x(line.to)} y1={y(line)} y2={y(line)} />
          ))}
          {layout.links.map((link) => (
            <path class={`link ${link.tone} ${of(link.id)}`} d={curve(x(link.from.at), y(link.from), x(link.to.at), y(link.to))} />
          ))}
          {layout.bars.map((bar) => (
            <BarShape bar={bar} x={x(bar.from)} to={x(bar.to)} y={y(bar)} state={of(bar.id)} select={select} />
          ))}
          {layout.dots.map((dot) => (
            <DotShape dot={dot} x={x(dot.at)} y={y(dot)} end={width} state={of(dot.id)} select={select} />
          ))}
          <Playhead cursor={cursor} x={x} top={TOP - 6} height={height} />
        </svg>
      </div>
      {film.moments.length ? <Scrubber film={film} cursor={cursor} scale={scale} /> : null}
    </section>
  );
}

function Playhead({ cursor, x, top, height }: { cursor: Cursor; x: (at: number) => number; top: number; height: number }) {
  const place = x(useCursor(cursor));
  return (
    <g class="playhead">
      <rect class="ruler" width="100%" height={TOP - 8} />
      <line x1={place} x2={place} y1={top} y2={height} />
      <path d={`M${place - 5},${top - 8}h10l-5,8z`} />
    </g>
  );
}

function BarShape({ bar, x, to, y, state, select }: { bar: Bar; x: number; to: number; y: number; state: string; select: Select }) {
  const width = Math.max(4, to - x);
  const letters = Math.floor((width - 8) / 6.1);
  // the first words of its name, so that what is seen is what is read out
  const text = letters >= bar.label.length ? bar.label : bar.label.slice(0, Math.max(0, letters)).replace(/[\s·]*\S*$/, "");
  const name = `${bar.label}, ${moment(bar.from)}, ${bar.open ? "not ended" : span(bar.to - bar.from)}`;
  return (
    <g class={`bar ${bar.tone} ${bar.open ? "open" : ""} ${state}`} role="button" aria-label={name} tabIndex={-1} onClick={() => select(bar.id, Math.max(0, bar.from))}>
      <title>{name}</title>
      <rect x={x} y={y - 7} width={width} height={14} rx={2} />
      {text ? (
        <text x={x + 4} y={y + 4}>
          {text}
        </text>
      ) : null}
    </g>
  );
}

function DotShape({ dot, x, y, end, state, select }: { dot: Dot; x: number; y: number; end: number; state: string; select: Select }) {
  const name = [dot.label, dot.label.includes(dot.text) ? "" : dot.text, moment(dot.at)].filter(Boolean).join(", ");
  const atEnd = x > end - 10 - 6 * dot.text.length;
  return (
    <g class={`dot ${dot.tone} ${dot.mark} ${state}`} role="button" aria-label={name} tabIndex={-1} onClick={() => select(dot.id, dot.at)}>
      <title>{name}</title>
      {dot.mark === "tick" ? (
        <rect x={x - (dot.tone === "bad" ? 2 : 1)} y={y - 3} width={dot.tone === "bad" ? 4 : 2} height={dot.tone === "bad" ? 9 : 6} />
      ) : dot.mark === "cross" ? (
        <path d={`M${x - 5},${y - 5}l10,10m0,-10l-10,10`} />
      ) : (
        <circle cx={x} cy={y} r={dot.mark === "ring" ? 4 : 4.5} />
      )}
      {dot.text ? (
        <text x={atEnd ? x - 9 : x + 9} y={y + 4} text-anchor={atEnd ? "end" : "start"}>
          {dot.text}
        </text>
      ) : null}
    </g>
  );
}

function heightOf(lane: Lane): number {
  return lane.rows * ROW + 2 * PAD;
}

function topsOf(lanes: readonly Lane[]): Map<string, number> {
  const tops = new Map<string, number>();
  let top = TOP;
  for (const lane of lanes) {
    tops.set(lane.id, top);
    top += heightOf(lane);
  }
  return tops;
}

function curve(x1: number, y1: number, x2: number, y2: number): string {
  const middle = (y1 + y2) / 2;
  return `M${x1},${y1}C${x1 + 8},${middle} ${x2 - 8},${middle} ${x2},${y2}`;
}
