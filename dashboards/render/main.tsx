// The page that draws one board: /?uid=fettle-overview&theme=light. Everything visible is Grafana's own component,
// except where panels/ says otherwise.
import 'react-grid-layout/css/styles.css';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router-dom';
import { ThemeContext } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { boot, theme } from './runtime';
import { toScene } from './to-scene';

async function main() {
  await initPluginTranslations('fettle-dashboards');
  boot();
  const uid = new URLSearchParams(location.search).get('uid') ?? 'fettle-overview';
  const board = await (await fetch(`/boards/${uid}.json`)).json();
  document.title = board.title;
  document.body.style.background = theme.colors.background.canvas;
  document.body.style.color = theme.colors.text.primary;
  const scene = toScene(board);
  createRoot(document.getElementById('root')!).render(
    <BrowserRouter>
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
}

main().catch((error) => {
  document.body.insertAdjacentText('beforeend', String(error.stack));
  console.error(error);
});
