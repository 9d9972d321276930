// Grafana's TimeSeries (uPlot) with its legend; annotations are drawn by a hook of ours.
import { DataFrame, FieldType, PanelProps } from '@grafana/data';
import { TimeSeries, TooltipPlugin2, useTheme2 } from '@grafana/ui';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import { NoData } from './no-data';

function drawRegion(plot: any, start: number, end: number, color: string) {
  const context = plot.ctx;
  const { top, height } = plot.bbox;
  const [left, right] = [plot.valToPos(start, 'x', true), plot.valToPos(end, 'x', true)];
  context.save();
  context.strokeStyle = context.fillStyle = color;
  context.lineWidth = devicePixelRatio;
  context.setLineDash([4, 3]);
  context.beginPath();
  context.moveTo(left, top);
  context.lineTo(left, top + height);
  context.stroke();
  context.globalAlpha = 0.12;
  context.fillRect(left, top, Math.max(0, right - left), height);
  context.globalAlpha = 1;
  context.fillRect(left - 3, top + height, Math.max(6, right - left), 5);
  context.restore();
}

function Annotations({ frames, config }: { frames?: DataFrame[]; config: any }) {
  const theme = useTheme2();
  const latest = useRef(frames);
  latest.current = frames;
  const plot = useRef<any>(null);
  // They arrive after the first drawing.
  useEffect(() => plot.current?.redraw(false), [frames]);
  useLayoutEffect(() => {
    config.addHook('init', (u: any) => (plot.current = u));
    config.addHook('draw', (u: any) => {
      for (const frame of latest.current ?? []) {
        const values = (name: string) => frame.fields.find((field) => field.name === name)?.values;
        const [time, timeEnd, color] = [values('time'), values('timeEnd'), values('color')];
        for (let i = 0; i < frame.length; i++)
          drawRegion(u, time![i], timeEnd?.[i] ?? time![i], theme.visualization.getColorByName(color?.[i] ?? 'red'));
      }
    });
  }, [config]);
  return null;
}

function Tooltip({ plot, indexes, series }: { plot: any; indexes: Array<number | null>; series: number | null }) {
  const index = series === null ? null : indexes[series];
  if (series === null || index === null) return null;
  return <div style={{ padding: 8, fontSize: 12 }}>{`${plot.series[series].label}: ${plot.data[series][index]}`}</div>;
}

// NaN and infinity are not drawn, and would leave the axis without a range.
const finite = (frame: DataFrame): DataFrame => ({
  ...frame,
  fields: frame.fields.map((field) =>
    field.type === FieldType.number
      ? { ...field, values: field.values.map((value) => (Number.isFinite(value) ? value : null)) }
      : field,
  ),
});
const hasValues = (frame: DataFrame) =>
  frame.fields.some((field) => field.type === FieldType.number && field.values.some((value) => value !== null));

export function Timeseries({ data, width, height, options, timeRange, timeZone }: PanelProps<any>) {
  const frames = useMemo(() => data.series.map(finite).filter(hasValues), [data.series]);
  if (!frames.length) return <NoData />;
  return (
    <TimeSeries
      frames={frames}
      structureRev={data.structureRev}
      timeRange={timeRange}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={options.legend}
      options={options}
    >
      {(config) => (
        <>
          <Annotations frames={data.annotations} config={config} />
          <TooltipPlugin2
            config={config}
            hoverMode={1 as never}
            render={(plot, indexes, series) => <Tooltip plot={plot} indexes={indexes as never} series={series} />}
          />
        </>
      )}
    </TimeSeries>
  );
}
