// Grafana's BigValue with its sparkline.
import { getFieldDisplayValues, PanelProps } from '@grafana/data';
import { BigValue, useTheme2, VizRepeater } from '@grafana/ui';

export function Stat(props: PanelProps<any>) {
  const { data, options, fieldConfig, replaceVariables, timeZone } = props;
  const theme = useTheme2();
  const values = () =>
    getFieldDisplayValues({
      fieldConfig,
      reduceOptions: options.reduceOptions,
      replaceVariables,
      theme,
      data: data.series,
      sparkline: options.graphMode !== 'none',
      timeZone,
    });
  return (
    <VizRepeater
      getValues={values}
      source={data}
      width={props.width}
      height={props.height}
      orientation={options.orientation ?? 'auto'}
      renderCounter={0}
      autoGrid
      renderValue={({ value, width, height, alignmentFactors }: any) => (
        <BigValue
          value={value.display}
          sparkline={value.sparkline && { ...value.sparkline, timeRange: data.timeRange }}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode ?? 'auto'}
          alignmentFactors={alignmentFactors}
          width={width}
          height={height}
          theme={theme}
          text={options.text}
        />
      )}
    />
  );
}
