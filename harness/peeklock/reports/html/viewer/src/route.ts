// What is shown is written behind the `#`, so that a link leads to it: `#/case/17`, or `#/?outcome=failed&text=sas`.

export interface Filter {
  outcome: string;
  /** `flaky`, or empty for all. */
  kind: string;
  text: string;
  tag: string;
  covers: string;
}

export type Route = { view: "cases"; filter: Filter } | { view: "case"; number: number } | { view: "coverage" };

export const EVERYTHING: Filter = { outcome: "", kind: "", text: "", tag: "", covers: "" };

export function routeOf(hash: string): Route {
  const found = /^#\/case\/(\d+)$/.exec(hash);
  if (found) return { view: "case", number: Number(found[1]) };
  if (hash === "#/coverage") return { view: "coverage" };
  const query = new URLSearchParams(hash.split("?")[1] ?? "");
  const filter = { ...EVERYTHING };
  for (const key of Object.keys(filter) as (keyof Filter)[]) filter[key] = query.get(key) ?? "";
  return { view: "cases", filter };
}

export function hashOf(route: Route): string {
  if (route.view === "case") return `#/case/${route.number}`;
  if (route.view === "coverage") return "#/coverage";
  const query = new URLSearchParams(Object.entries(route.filter).filter(([, value]) => value)).toString();
  return query ? `#/?${query}` : "#/";
}
