// A small Prometheus data source: for the options that the boards use it asks what Grafana's would ask.
import {
  AnnotationEvent,
  DataFrame,
  DataQueryRequest,
  DataQueryResponse,
  DataSourceApi,
  DataSourceInstanceSettings,
  FieldType,
  MetricFindValue,
  rangeUtil,
  ScopedVars,
  toDataFrame,
} from '@grafana/data';
import { sceneGraph, SceneObject } from '@grafana/scenes';
import { from, Observable, of } from 'rxjs';

type Labels = Record<string, string>;
type Target = {
  refId: string;
  expr: string;
  legendFormat?: string;
  instant?: boolean;
  range?: boolean;
  format?: string;
};
type Series = { metric: Labels; value?: [number, string]; values?: Array<[number, string]> };
type Asked = { expr: string; series: number; error?: string };

const escapeRegex = (text: string) => text.replace(/[-[\]{}()*+?.,\\^$|#]/g, '\\\\$&');

// A variable's value as it stands inside a matcher.
function inMatcher(value: unknown, variable: any) {
  if (Array.isArray(value)) {
    const all = value.map((v) => escapeRegex(String(v)));
    return all.length === 1 ? all[0] : `(${all.join('|')})`;
  }
  if (variable?.multi || variable?.includeAll) return escapeRegex(String(value));
  return String(value).replace(/\\/g, '\\\\').replace(/"/g, '\\"');
}

const fillIn = (template: string, labels: Labels) =>
  template.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, key) => labels[key] ?? '');

function toNumber(text: string) {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}

function toTable(refId: string, series: Series[], onlyTarget: boolean): DataFrame {
  const names = [...new Set(series.flatMap((s) => Object.keys(s.metric)))].sort();
  const rows = series.flatMap((s) => (s.values ?? [s.value!]).map(([at, value]) => ({ labels: s.metric, at, value })));
  return toDataFrame({
    refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: rows.map((r) => r.at * 1000) },
      ...names.map((name) => ({ name, type: FieldType.string, values: rows.map((r) => r.labels[name] ?? '') })),
      {
        name: onlyTarget ? 'Value' : `Value #${refId}`,
        type: FieldType.number,
        values: rows.map((r) => toNumber(r.value)),
      },
    ],
  });
}

// One frame per series, on the query's grid: where the series has no sample there is a gap.
function toFrames(refId: string, series: Series[], grid: number[], stepMs: number, nameOf: (labels: Labels) => string) {
  return series.map((s) => {
    const points = new Map((s.values ?? [s.value!]).map(([at, value]) => [Math.round(at * 1000), toNumber(value)]));
    const name = nameOf(s.metric);
    return toDataFrame({
      refId,
      name,
      fields: [
        { name: 'Time', type: FieldType.time, values: grid, config: { interval: stepMs } },
        {
          name: 'Value',
          type: FieldType.number,
          labels: s.metric,
          values: grid.map((at) => points.get(at) ?? null),
          config: { displayNameFromDS: name },
        },
      ],
    });
  });
}

// Samples other than zero in a row are one region.
function toEvents(annotation: any, frame: DataFrame): AnnotationEvent[] {
  const [time, value] = frame.fields;
  const labels = value.labels ?? {};
  const step = time.config.interval ?? 60000;
  const tagKeys = String(annotation.tagKeys ?? '').split(',');
  const common = {
    title: fillIn(annotation.titleFormat || annotation.name, labels),
    text: fillIn(annotation.textFormat ?? '', labels),
    tags: tagKeys.map((key) => labels[key.trim()]).filter(Boolean),
    color: annotation.iconColor,
    source: annotation,
  };
  const events: AnnotationEvent[] = [];
  let current: AnnotationEvent | null = null;
  for (let i = 0; i < value.values.length; i++) {
    const at = time.values[i];
    if (!value.values[i]) {
      current = null;
    } else if (current && at - current.timeEnd! <= step) {
      current.timeEnd = at;
      current.isRegion = true;
    } else {
      current = { ...common, time: at, timeEnd: at, isRegion: false };
      events.push(current);
    }
  }
  return events;
}

export class Prometheus extends DataSourceApi {
  readonly interval: string;
  private readonly url: string;
  private readonly asked: Asked[] = []; // read by tools/shots.mjs

  constructor(public instanceSettings: DataSourceInstanceSettings) {
    super(instanceSettings);
    this.url = instanceSettings.url!;
    this.interval = (instanceSettings.jsonData as any).timeInterval ?? '15s';
    (window as any).askedOfPrometheus = this.asked;
  }

  private interpolate(text: string, vars: ScopedVars) {
    const scene = (vars as any).__sceneObject?.value?.valueOf() as SceneObject;
    return scene ? sceneGraph.interpolate(scene, text, vars, inMatcher as never) : text;
  }

  private async ask(path: string, parameters: Record<string, string>) {
    const answer = await fetch(`${this.url}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(parameters) });
    const json = await answer.json();
    if (json.status !== 'success') throw new Error(json.error);
    return json.data;
  }

  query(request: DataQueryRequest<any>): Observable<DataQueryResponse> {
    return from(this.run(request));
  }

  private async run(request: DataQueryRequest<any>): Promise<DataQueryResponse> {
    const errors: Array<{ refId: string; message: string }> = [];
    const frames = await Promise.all(
      (request.targets as Target[]).map(async (target) => {
        let expr = target.expr;
        try {
          const [vars, stepMs] = this.builtins(request);
          expr = this.interpolate(target.expr, vars);
          return await this.answer(target, expr, vars, stepMs, request);
        } catch (error: any) {
          this.asked.push({ expr, series: 0, error: error.message });
          errors.push({ refId: target.refId, message: `${target.refId}: ${error.message}` });
          return [];
        }
      }),
    );
    return { data: frames.flat(), errors: errors.length ? (errors as never) : undefined };
  }

  private builtins(request: DataQueryRequest<any>): [ScopedVars, number] {
    const scrapeMs = rangeUtil.intervalToMs(this.interval);
    const stepMs = Math.max(request.intervalMs ?? 15000, scrapeMs);
    const rateMs = Math.max(stepMs + scrapeMs, 4 * scrapeMs);
    const rangeSeconds = request.range.to.unix() - request.range.from.unix();
    const variable = (value: string | number) => ({ text: String(value), value });
    const vars = {
      ...request.scopedVars,
      __rate_interval: variable(`${Math.ceil(rateMs / 1000)}s`),
      __interval: variable(`${Math.ceil(stepMs / 1000)}s`),
      __range: variable(`${rangeSeconds}s`),
    };
    return [vars, stepMs];
  }

  private async answer(target: Target, expr: string, vars: ScopedVars, stepMs: number, request: DataQueryRequest<any>) {
    const [start, end] = [request.range.from, request.range.to].map((t) => Math.floor(t.valueOf() / stepMs) * stepMs);
    const instant = target.instant && !target.range;
    const answer = instant
      ? await this.ask('query', { query: expr, time: String(request.range.to.valueOf() / 1000) })
      : await this.ask('query_range', {
          query: expr,
          start: String(start / 1000),
          end: String(end / 1000),
          step: String(stepMs / 1000),
        });
    const series: Series[] = answer.result;
    this.asked.push({ expr, series: series.length });
    if (target.format === 'table') return [toTable(target.refId, series, request.targets.length === 1)];
    const grid = Array.from({ length: (end - start) / stepMs + 1 }, (_, i) => start + i * stepMs);
    const nameOf = (labels: Labels) => fillIn(this.interpolate(target.legendFormat ?? '', vars), labels) || expr;
    return toFrames(target.refId, series, grid, stepMs, nameOf);
  }

  async metricFindQuery(query: any, options?: any): Promise<MetricFindValue[]> {
    const text = this.interpolate(typeof query === 'string' ? query : query.query, options?.scopedVars ?? {});
    const found = /^label_values\((.+),\s*([a-zA-Z_]\w*)\)$/.exec(text.trim());
    if (!found) throw new Error(`a variable cannot ask for ${text}`);
    const { from: start, to: end } = options.range;
    const parameters = new URLSearchParams({
      start: String(start.unix()),
      end: String(end.unix()),
      'match[]': found[1],
    });
    const json = await (await fetch(`${this.url}/api/v1/label/${found[2]}/values?${parameters}`)).json();
    if (json.status !== 'success') throw new Error(json.error);
    return json.data.map((value: string) => ({ text: value, value }));
  }

  annotations = {
    prepareAnnotation: (annotation: any) => annotation,
    prepareQuery: (a: any) => ({
      refId: 'Annotation',
      expr: a.expr,
      range: true,
      legendFormat: '',
      datasource: a.datasource,
    }),
    processEvents: (annotation: any, frames: DataFrame[]) => of(frames.flatMap((frame) => toEvents(annotation, frame))),
  };

  async testDatasource() {
    return { status: 'success', message: '' };
  }
}
