// tools/shots.mjs takes the class for a finding.
export const NoData = () => (
  <div
    className="panel-empty"
    style={{ display: 'flex', height: '100%', alignItems: 'center', justifyContent: 'center' }}
  >
    No data
  </div>
);
