// Grafana's TableNG.
import { cacheFieldDisplayNames, PanelProps } from '@grafana/data';
import { TableNG } from '@grafana/ui/unstable';
import { NoData } from './no-data';

export function Table({ data, width, height, options, fieldConfig, timeRange, replaceVariables }: PanelProps<any>) {
  const frame = data.series[options.frameIndex ?? 0];
  if (!frame?.length) return <NoData />;
  cacheFieldDisplayNames(data.series); // without it renamed columns keep their old names
  return (
    <TableNG
      data={frame}
      width={width}
      height={height}
      noHeader={options.showHeader === false}
      resizable
      sortBy={options.sortBy}
      cellHeight={options.cellHeight}
      timeRange={timeRange}
      fieldConfig={fieldConfig}
      structureRev={data.structureRev}
      getActions={() => []}
      replaceVariables={replaceVariables}
    />
  );
}
