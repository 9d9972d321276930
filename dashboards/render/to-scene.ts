// Classic dashboard JSON to a scene: variables, rows, panels with their queries and transformations, annotations.
import { AnnotationQuery } from '@grafana/data';
import {
  behaviors,
  dataLayers,
  DataSourceVariable,
  EmbeddedScene,
  QueryVariable,
  SceneControlsSpacer,
  SceneDataLayerControls,
  SceneDataLayerSet,
  SceneDataTransformer,
  SceneGridItem,
  SceneGridLayout,
  SceneGridRow,
  SceneQueryRunner,
  SceneRefreshPicker,
  SceneTimePicker,
  SceneTimeRange,
  SceneVariable,
  SceneVariableSet,
  VariableValueSelectors,
  VizPanel,
} from '@grafana/scenes';
import { defaultColor } from './panels';

const asked = new URLSearchParams(location.search);

function toVariable(v: any): SceneVariable {
  const chosen = asked.getAll(`var-${v.name}`);
  const common = { name: v.name, label: v.label, description: v.description, hide: v.hide };
  switch (v.type) {
    case 'datasource':
      return new DataSourceVariable({ ...common, pluginId: v.query, regex: v.regex ?? '' });
    case 'query':
      return new QueryVariable({
        ...common,
        isMulti: v.multi,
        includeAll: v.includeAll,
        allValue: v.allValue,
        value: chosen.length ? chosen : (v.current?.value ?? ''),
        text: chosen.length ? chosen : (v.current?.text ?? ''),
        query: v.query,
        datasource: v.datasource,
        regex: v.regex ?? '',
        refresh: v.refresh,
        sort: v.sort,
      });
    default:
      throw new Error(`variable ${v.name}: type ${v.type} is not drawn here`);
  }
}

function toGridItem(p: any) {
  const fieldConfig = structuredClone(p.fieldConfig ?? { defaults: {}, overrides: [] });
  fieldConfig.defaults.color ??= { mode: defaultColor[p.type] ?? 'thresholds' };
  const queries = new SceneQueryRunner({
    datasource: p.datasource,
    queries: p.targets.map((target: any) => ({ ...target })),
    maxDataPoints: p.maxDataPoints,
    maxDataPointsFromWidth: true,
    minInterval: p.interval,
  });
  return new SceneGridItem({
    x: p.gridPos.x,
    y: p.gridPos.y,
    width: p.gridPos.w,
    height: p.gridPos.h,
    isResizable: false,
    isDraggable: false,
    body: new VizPanel({
      key: `panel-${p.id}`,
      title: p.title,
      description: p.description,
      pluginId: p.type,
      options: p.options,
      fieldConfig,
      $data: new SceneDataTransformer({ $data: queries, transformations: p.transformations ?? [] }),
    }),
  });
}

export function toScene(board: any) {
  const children: Array<SceneGridItem | SceneGridRow> = [];
  let row: SceneGridRow | null = null;
  for (const p of board.panels) {
    if (p.type === 'row') {
      row = new SceneGridRow({ title: p.title, isCollapsible: true, isCollapsed: false, y: p.gridPos.y, children: [] });
      children.push(row);
    } else if (row) {
      row.setState({ children: [...row.state.children, toGridItem(p)] });
    } else {
      children.push(toGridItem(p));
    }
  }
  const layers = board.annotations.list
    .filter((a: any) => a.expr)
    .map(
      (a: any) => new dataLayers.AnnotationsDataLayer({ name: a.name, isEnabled: true, query: a as AnnotationQuery }),
    );
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({ from: asked.get('from') ?? board.time.from, to: board.time.to }),
    $variables: new SceneVariableSet({ variables: board.templating.list.map(toVariable) }),
    $data: new SceneDataLayerSet({ layers }),
    $behaviors: [new behaviors.CursorSync({ key: 'sync', sync: board.graphTooltip ?? 0 })],
    controls: [
      new VariableValueSelectors({}),
      new SceneDataLayerControls(),
      new SceneControlsSpacer(),
      new SceneTimePicker({ isOnCanvas: true }),
      new SceneRefreshPicker({ intervals: ['5s', '30s', '1m'], isOnCanvas: true, refresh: board.refresh }),
    ],
    body: new SceneGridLayout({ isLazy: false, children }),
  });
}
