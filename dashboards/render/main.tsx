// The page that draws one board: /?uid=fettle-overview&theme=light. Everything visible is Grafana's own component,
// except where panels/ says otherwise.
import 'react-grid-layout/css/styles.css';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router-dom';
import { ThemeContext } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { boot, Mode, takeColours } from './runtime';
import { toScene } from './to-scene';

async function main() {
  await initPluginTranslations('fettle-dashboards');
  boot();
  const asked = new URLSearchParams(location.search);
  const board = await (await fetch(`/boards/${asked.get('uid') ?? 'fettle-overview'}.json`)).json();
  document.title = board.title;
  const root = createRoot(document.getElementById('root')!);
  // From the begin: panels keep what they have made of the colours.
  const draw = (mode: Mode) => {
    const theme = takeColours(mode);
    document.body.style.background = theme.colors.background.canvas;
    document.body.style.color = theme.colors.text.primary;
    const scene = toScene(board);
    root.render(
      <BrowserRouter key={mode}>
        <ThemeContext.Provider value={theme}>
          <GlobalStyles />
          <div className="main-view" style={{ padding: 16 }}>
            <h3>{board.title}</h3>
            <scene.Component model={scene} />
          </div>
          <PortalContainer />
        </ThemeContext.Provider>
      </BrowserRouter>,
    );
  };
  draw(asked.get('theme') === 'light' ? 'light' : 'dark');
  (window as any).drawIn = draw; // for tools/shots.mjs, which need not load all of this again
}

main().catch((error) => {
  document.body.insertAdjacentText('beforeend', String(error.stack));
  console.error(error);
});
