/** Where the page begins: index.html loads it, and it draws the page into its one element. */
import { render } from 'preact'
import { App } from './app.tsx'

render(<App />, document.getElementById('page')!)
