// Drawn here, because Grafana does not export its own: bars by Grafana's mappings and colours, and its legend.
import { dateTimeFormat, DataFrame, Field, FieldType, PanelProps } from '@grafana/data';
import { LegendDisplayMode } from '@grafana/schema';
import { useTheme2, VizLegend } from '@grafana/ui';
import { NoData } from './no-data';

const axisHeight = 20;
const tickCount = 6;

type Bar = { from: number; to: number; text: string; color: string };
type Row = { name: string; bars: Bar[] };

// Equal values in a row become one bar; a gap of more than a step and a half ends it.
function toBars(time: Field, value: Field, end: number): Bar[] {
  const bars: Bar[] = [];
  const step = time.config.interval ?? 60000;
  let open = false;
  for (let i = 0; i < value.values.length; i++) {
    if (value.values[i] === null) {
      open = false;
      continue;
    }
    const { text, color = '#888' } = value.display!(value.values[i]);
    const last = bars[bars.length - 1];
    const until = Math.min(end, time.values[i] + step);
    if (open && last.text === text && time.values[i] - last.to <= step / 2) {
      last.to = until;
    } else {
      bars.push({ from: time.values[i], to: until, text, color });
      open = true;
    }
  }
  return bars;
}

function toRows(frames: DataFrame[], end: number): Row[] {
  return frames.flatMap((frame) => {
    const time = frame.fields.find((field) => field.type === FieldType.time);
    const values = frame.fields.filter((field) => field.type !== FieldType.time);
    return time ? values.map((v) => ({ name: v.config.displayNameFromDS ?? v.name, bars: toBars(time, v, end) })) : [];
  });
}

export function StateTimeline({ data, width, height, options, timeRange }: PanelProps<any>) {
  const theme = useTheme2();
  const [from, to] = [timeRange.from.valueOf(), timeRange.to.valueOf()];
  const rows = toRows(data.series, to);
  if (!rows.length) return <NoData />;

  const legendHeight = options.legend?.showLegend === false ? 0 : 30;
  const left = Math.min(width * 0.4, 12 + 7 * Math.max(...rows.map((row) => row.name.length)));
  const rowHeight = (height - axisHeight - legendHeight) / rows.length;
  const barHeight = rowHeight * (options.rowHeight ?? 0.9);
  const x = (at: number) => left + ((at - from) / (to - from)) * (width - left - 8);
  const ticks = Array.from({ length: tickCount }, (_, i) => from + ((to - from) * (i + 0.5)) / tickCount);
  const states = new Map(rows.flatMap((row) => row.bars.map((bar) => [bar.text, bar.color] as const)));
  return (
    <div>
      <svg role="img" width={width} height={height - legendHeight}>
        {rows.map((row, i) => (
          <g key={row.name}>
            <text
              x={left - 6}
              y={i * rowHeight + rowHeight / 2}
              textAnchor="end"
              dominantBaseline="central"
              fontSize={Math.min(12, rowHeight)}
              fill={theme.colors.text.primary}
            >
              {row.name}
            </text>
            {row.bars.map((bar) => (
              <rect
                key={bar.from}
                x={x(bar.from)}
                width={Math.max(1, x(bar.to) - x(bar.from))}
                y={i * rowHeight + (rowHeight - barHeight) / 2}
                height={barHeight}
                fill={bar.color}
              >
                <title>{`${row.name}: ${bar.text} ${dateTimeFormat(bar.from)}`}</title>
              </rect>
            ))}
          </g>
        ))}
        {ticks.map((at) => (
          <text
            key={at}
            x={x(at)}
            y={height - legendHeight - 5}
            fontSize={11}
            textAnchor="middle"
            fill={theme.colors.text.secondary}
          >
            {dateTimeFormat(at, { format: 'HH:mm:ss' })}
          </text>
        ))}
      </svg>
      {legendHeight > 0 && (
        <VizLegend
          displayMode={LegendDisplayMode.List}
          placement="bottom"
          items={[...states].map(([label, color]) => ({ label, color, yAxis: 1 }))}
        />
      )}
    </div>
  );
}
