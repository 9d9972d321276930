// What Grafana registers when it boots, as far as scenes and panels ask for it: editors' registries, transformations,
// one data source, and the query runner.
import { catchError, from, map, merge, Observable, of } from 'rxjs';
import {
  booleanOverrideProcessor,
  createTheme,
  DataFrame,
  dataLinksOverrideProcessor,
  DataQueryRequest,
  DataSourceApi,
  displayNameOverrideProcessor,
  EventBusSrv,
  FieldConfigPropertyItem,
  identityOverrideProcessor,
  LoadingState,
  numberOverrideProcessor,
  PanelData,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';
import {
  config,
  setAppEvents,
  setBackendSrv,
  setDataSourceSrv,
  setEchoSrv,
  setPluginImportUtils,
  setRunRequest,
  setTemplateSrv,
} from '@grafana/runtime';
import { panels } from './panels';
import { Prometheus } from './prometheus';

export type Mode = 'dark' | 'light';
// What is drawn from now on is in these colours.
export function takeColours(mode: Mode) {
  const theme = createTheme({ colors: { mode } });
  config.theme2 = theme as never;
  return theme;
}

const nothing = () => null;
const editorIds =
  'number text boolean select radio color unit stats-picker slider strings multi-select field-name dashboard-uid ' +
  'timezone fieldColor links mappings thresholds actions';

function fieldOption(id: string, process: unknown = identityOverrideProcessor, defaultValue?: unknown) {
  const item = { id, path: id, name: id, editor: nothing, override: nothing, process, defaultValue, settings: {} };
  return { ...item, shouldApply: () => true } as unknown as FieldConfigPropertyItem<any>;
}

function registerEditors() {
  standardEditorsRegistry.setInit(() => editorIds.split(' ').map((id) => ({ id, name: id, editor: nothing as never })));
  const steps = [{ value: -Infinity, color: 'green' }];
  standardFieldConfigEditorRegistry.setInit(() => [
    fieldOption('displayName', displayNameOverrideProcessor),
    fieldOption('unit', unitOverrideProcessor),
    fieldOption('min', numberOverrideProcessor),
    fieldOption('max', numberOverrideProcessor),
    fieldOption('decimals', numberOverrideProcessor),
    fieldOption('noValue', stringOverrideProcessor),
    fieldOption('color'),
    fieldOption('thresholds', thresholdsOverrideProcessor, { mode: 'absolute', steps }),
    fieldOption('mappings', valueMappingsOverrideProcessor, []),
    fieldOption('links', dataLinksOverrideProcessor),
    fieldOption('actions', dataLinksOverrideProcessor),
    fieldOption('filterable', booleanOverrideProcessor),
    fieldOption('fieldMinMax', booleanOverrideProcessor),
  ]);
}

function registerTransformations() {
  // The list holds some twice; the registry wants each once, behind a promise.
  const byId = new Map(Object.values(standardTransformers).map((t: any) => [t.id, t]));
  standardTransformersRegistry.setInit(() =>
    [...byId.values()].map((t: any) => {
      const entry = {
        id: t.id,
        name: t.name,
        description: t.description,
        editor: nothing,
        transformation: async () => t,
      };
      return { ...entry, imageDark: '', imageLight: '' } as never;
    }),
  );
}

function registerDataSource() {
  const info = { logos: { small: '', large: '' } };
  const prometheus = new Prometheus({
    id: 1,
    uid: 'local',
    type: 'prometheus',
    name: 'Prometheus',
    url: '/prometheus',
    meta: { id: 'prometheus', name: 'Prometheus', module: '', baseUrl: '', type: 'datasource', info },
    isDefault: true,
    jsonData: { timeInterval: '2s' },
    access: 'proxy',
    readOnly: true,
  } as never);
  const settings = prometheus.instanceSettings;
  config.datasources = { Prometheus: settings } as never;
  setDataSourceSrv({
    get: async () => prometheus as DataSourceApi,
    getList: () => [settings],
    getInstanceSettings: () => settings,
    reload() {},
    registerRuntimeDataSource() {},
  } as never);
}

function runRequest(source: DataSourceApi, request: DataQueryRequest, query?: any): Observable<PanelData> {
  const base: PanelData = { state: LoadingState.Loading, series: [], request, timeRange: request.range };
  const answer = from((query ?? source.query.bind(source))(request) as any).pipe(
    map((a: any) => ({
      ...base,
      state: a.errors ? LoadingState.Error : LoadingState.Done,
      series: a.data as DataFrame[],
      errors: a.errors,
    })),
    catchError((error) =>
      of({ ...base, state: LoadingState.Error, errors: [{ message: String(error?.message ?? error) }] }),
    ),
  );
  return merge(of(base), answer);
}

export function boot() {
  (config as any).bootData = { user: { timezone: 'browser', locale: 'en-US' }, settings: config, navTree: [] };
  registerEditors();
  registerTransformations();
  setAppEvents(new EventBusSrv());
  setEchoSrv({ flush() {}, addBackend() {}, addEvent() {} });
  setBackendSrv({ fetch: () => of({ data: {} }), get: async () => ({}), datasourceRequest: async () => ({}) } as never);
  setTemplateSrv({
    getVariables: () => [],
    replace: (text: string) => text ?? '',
    containsTemplate: () => false,
    updateTimeRange() {},
  } as never);
  registerDataSource();
  setRunRequest(runRequest as never);
  setPluginImportUtils({
    importPanelPlugin: async (id) => {
      if (!panels[id]) throw new Error(`no panel plugin "${id}"`);
      return panels[id];
    },
    getPanelPluginFromCache: (id) => panels[id],
  });
}
