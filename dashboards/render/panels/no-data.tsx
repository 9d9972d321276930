// tools/shots.mjs takes this text for a finding.
export const NoData = () => (
  <div style={{ display: 'flex', height: '100%', alignItems: 'center', justifyContent: 'center' }}>No data</div>
);
