/** The few signs of the page, drawn as text is coloured. They say nothing by themselves: who uses one gives it a name. */
const Icon = ({ path, size = 16 }: { path: string; size?: number }) => (
  <svg class="icon" viewBox="0 0 16 16" width={size} height={size} aria-hidden="true" focusable="false">
    <path d={path} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
  </svg>
)

export const ChevronDown = () => <Icon path="M4 6.5 8 10.5 12 6.5" size={14} />
export const ChevronLeft = () => <Icon path="M9.5 4 5.5 8 9.5 12" />
export const ChevronRight = () => <Icon path="M6.5 4 10.5 8 6.5 12" />
export const Cross = () => <Icon path="M4.5 4.5 11.5 11.5 M11.5 4.5 4.5 11.5" size={14} />
export const Check = () => <Icon path="M3.5 8.5 6.5 11.5 12.5 5" size={14} />
export const Sun = () => (
  <Icon path="M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5V3M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1" />
)
export const Moon = () => <Icon path="M13.2 9.8A5.6 5.6 0 0 1 6.2 2.8 5.6 5.6 0 1 0 13.2 9.8Z" />
export const Screen = () => <Icon path="M2.2 3.2h11.6v7.6H2.2Zm4 10.3h3.6" />
export const SignOutSign = () => <Icon path="M6.5 2.5H3v11h3.5M10 5l3 3-3 3M6.5 8H13" />
export const Search = () => <Icon path="M7 2.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4M10.2 10.2 13.5 13.5" />
export const Table = () => <Icon path="M2.2 3h11.6v10H2.2Zm0 3.3h11.6M2.2 9.6h11.6M7 6.3V13" />
export const Line = () => <Icon path="M2 12 6 7.5 9 9.5 14 3.5" />
export const Copy = () => <Icon path="M5.5 5.5h7.3v7.8H5.5ZM10.4 5.5V2.7H3.2v7.8h2.3" />

/** The footprints of the logo. */
export const Logo = () => (
  <svg class="logo" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="7" />
    <g>
      <ellipse cx="12" cy="18" rx="4" ry="6.5" />
      <ellipse cx="12" cy="27" rx="3" ry="2.6" />
      <ellipse cx="21" cy="9" rx="3.6" ry="5.6" />
      <ellipse cx="21" cy="17.4" rx="2.7" ry="2.3" />
    </g>
  </svg>
)
