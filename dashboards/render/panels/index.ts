// The panel types that boards may use, each with the field options that Grafana's own plugin of that name has: options
// that are not registered are dropped before the panel sees them.
import { FieldColorModeId, identityOverrideProcessor, PanelPlugin, PanelProps } from '@grafana/data';
import { ComponentType } from 'react';
import { Stat } from './stat';
import { StateTimeline } from './state-timeline';
import { Table } from './table';
import { Timeseries } from './timeseries';

function plugin(id: string, component: ComponentType<PanelProps<any>>, fieldOptions: Record<string, unknown> = {}) {
  const made = new PanelPlugin<any, any>(component);
  const info = { version: '13.2.2', logos: { small: '', large: '' }, author: { name: '' }, description: '', links: [] };
  made.meta = { id, name: id, module: '', baseUrl: '', sort: 0, type: 'panel', info } as never;
  made.useFieldConfig({
    useCustomConfig: (builder: any) => {
      for (const [path, defaultValue] of Object.entries(fieldOptions)) {
        const nothing = () => null;
        const option = { id: path, path, name: path, category: [], defaultValue, editor: nothing, override: nothing };
        builder.addCustomEditor({ ...option, process: identityOverrideProcessor, shouldApply: () => true });
      }
    },
  });
  return made;
}

const hideFrom = { tooltip: false, viz: false, legend: false };

const timeseries = plugin('timeseries', Timeseries, {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: 'none',
  lineStyle: undefined,
  barAlignment: 0,
  barWidthFactor: 0.6,
  showPoints: 'auto',
  pointSize: 5,
  stacking: { mode: 'none', group: 'A' },
  axisPlacement: 'auto',
  axisLabel: '',
  axisSoftMin: undefined,
  axisSoftMax: undefined,
  axisColorMode: 'text',
  axisBorderShow: false,
  axisCenteredZero: false,
  scaleDistribution: { type: 'linear' },
  thresholdsStyle: { mode: 'off' },
  spanNulls: false,
  insertNulls: false,
  hideFrom,
});
timeseries.setDataSupport({ annotations: true, alertStates: true });

export const panels: Record<string, PanelPlugin> = {
  stat: plugin('stat', Stat),
  timeseries,
  'state-timeline': plugin('state-timeline', StateTimeline, {
    lineWidth: 0,
    fillOpacity: 70,
    spanNulls: false,
    hideFrom,
  }),
  table: plugin('table', Table, {
    align: 'auto',
    cellOptions: { type: 'auto' },
    width: undefined,
    minWidth: undefined,
    filterable: false,
    hidden: false,
    inspect: false,
    hideHeader: false,
    hideFrom,
  }),
};

// What the plugins take where a board names no colour mode; all others go by thresholds.
export const defaultColor: Record<string, string> = { timeseries: FieldColorModeId.PaletteClassic };
