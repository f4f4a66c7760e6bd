// One operation that a service traced, with its attributes and its place in the trace.

import { Code, Facts } from "./facts.tsx";
import { parsed, record, type Span, type Story } from "./model.ts";
import { moment, span as duration } from "./time.ts";

const MOST = 20;

export function SpanDetails({ span, story, select }: { span: Span; story: Story; select: (id: string) => void }) {
  const of = (test: (each: Span) => boolean) => story.spans.map((each, index) => ({ each, index })).filter(({ each }) => test(each));
  const parent = span.parent ? of((each) => each.trace === span.trace && each.id === span.parent) : [];
  const children = of((each) => each.trace === span.trace && each.parent === span.id);
  const linked = of((each) => span.links.includes(each.id));
  const list = (found: { each: Span; index: number }[]) =>
    found.slice(0, MOST).map(({ each, index }) => (
      <p>
        <button type="button" class="link" onClick={() => select(`span:${index}`)}>
          {each.service}: {each.name}
        </button>{" "}
        {duration(each.ms)}
      </p>
    ));
  return (
    <>
      <h2>Span · {span.service}</h2>
      <p class="summary">{span.name}</p>
      <Facts rows={{ at: moment(span.at), took: duration(span.ms), kind: span.kind, status: span.status, message: span.message, trace: span.trace, span: span.id }} bad={span.status === "error" ? "status" : ""} />
      {Object.keys(record(span.attributes)).length ? (
        <>
          <h3>Attributes</h3>
          <Facts rows={record(span.attributes)} />
        </>
      ) : null}
      {span.events.map(([name, attributes]) => (
        <>
          <h3>Event {name}</h3>
          {Object.keys(record(attributes)).length ? <Facts rows={record(attributes)} /> : <Code text={String(parsed(attributes) ?? "")} />}
        </>
      ))}
      {parent.length ? <h3>Part of</h3> : null}
      {list(parent)}
      {children.length ? <h3>{children.length === 1 ? "One part" : `${children.length} parts`}</h3> : null}
      {list(children)}
      {linked.length ? <h3>Because of</h3> : null}
      {list(linked)}
    </>
  );
}
