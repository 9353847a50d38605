import { render } from 'preact'

render(<h1>Footfall</h1>, document.getElementById('page')!)
