type Child = Node | string | null | undefined | false;
type Props = Record<string, string | number | boolean | ((event: never) => void) | undefined>;

/** Makes an element: properties that are functions listen to the event of their name, the others are attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(key, value as EventListener);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== undefined && value !== false) element.setAttribute(key, String(value));
  }
  element.append(...children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg(tag: string, props: Record<string, string | number>, ...children: Node[]): SVGElement {
  const element = document.createElementNS(SVG, tag) as SVGElement;
  for (const [key, value] of Object.entries(props)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

const ICONS = {
  search: 'M10.5 4a6.5 6.5 0 1 0 4 11.6l4.4 4.4 1.4-1.4-4.4-4.4A6.5 6.5 0 0 0 10.5 4zm0 2a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9z',
  close: 'M6.4 5 5 6.4l5.6 5.6L5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6L19 6.4 17.6 5 12 10.6z',
  plus: 'M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z',
  minus: 'M5 11h14v2H5z',
  sun: 'M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM11 1h2v4h-2zm0 18h2v4h-2zM1 11h4v2H1zm18 0h4v2h-4zM4.2 5.6l1.4-1.4 2.9 2.8L7 8.5zm11.3 11.3 1.4-1.4 2.9 2.9-1.4 1.4zM4.2 18.4 7 15.5 8.5 17l-2.9 2.8zM15.5 7l2.9-2.8 1.4 1.4L17 8.5z',
  moon: 'M20.4 14.7A8.5 8.5 0 0 1 9.3 3.6a8.5 8.5 0 1 0 11.1 11.1z',
  home: 'M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z',
  follow: 'M11 1h2v3.1a8 8 0 0 1 6.9 6.9H23v2h-3.1a8 8 0 0 1-6.9 6.9V23h-2v-3.1A8 8 0 0 1 4.1 13H1v-2h3.1A8 8 0 0 1 11 4.1zm1 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zm0 3.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z',
  enter: 'M10 4h9v16h-9v-2h7V6h-7zM8.6 8.4 7.2 9.8 8.4 11H2v2h6.4l-1.2 1.2 1.4 1.4L12.200 12z',
  exit: 'M5 4h9v2H7v12h7v2H5zm11.6 4.4-1.4 1.4 1.2 1.200H10v2h6.4l-1.200 1.200 1.400 1.400L20.200 12z',
  cross: 'M4 11h9.2L9.6 7.4 11 6l6 6-6 6-1.400-1.400 3.600-3.600H4zM18 5h2v14h-2z',
  dwell: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2a7 7 0 1 1 0 14 7 7 0 0 1 0-14zm-1 3v4.6l3.3 3.1 1.4-1.5-2.700-2.500V8z',
  stop: 'M7 7h10v10H7z',
  go: 'M8 5.5v13L19 12z',
  pause: 'M7 5h4v14H7zm6 0h4v14h-4z',
  back: 'M6 5h2v14H6zm12.500.5v13L9.500 12z',
  forward: 'M16 5h2v14h-2zM5.500 5.500v13l9-6.500z',
  left: 'M15.400 6 14 4.600 6.600 12l7.400 7.400 1.400-1.400-6-6z',
  polygon: 'M12 3.500 20.500 10l-3.300 10H6.800L3.500 10zm0 2.500-6.200 4.700L8.200 18h7.600l2.400-7.300z',
  circle: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2a7 7 0 1 1 0 14 7 7 0 0 1 0-14z',
  corridor: 'M3 17 9 9l5 4 5.500-7.500 1.600 1.200L14.400 16l-5-4-4.800 6.200z',
  gap: 'M4 11h4v2H4zm6 0h4v2h-4zm6 0h4v2h-4z',
  up: 'M12 8l-7 7 1.4 1.4 5.6-5.6 5.6 5.6L19 15z',
} as const;
export type Icon = keyof typeof ICONS;

export function icon(name: Icon): SVGElement {
  return svg('svg', {viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true'}, svg('path', {d: ICONS[name]}));
}
