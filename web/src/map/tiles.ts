import {addProtocol, type LayerSpecification, type StyleSpecification} from 'maplibre-gl';
import {PMTiles, Protocol, TileType} from 'pmtiles';
import type {Palette} from './palette.ts';

/** What the layers of the usual schemas (Protomaps, OpenMapTiles) are; others are drawn as thin lines. */
const AREAS: readonly (readonly [name: RegExp, colour: (p: Palette) => string])[] = [
  [/^(earth|land)$/, p => p.land], [/^(landuse|landcover|park|natural)$/, p => p.region], [/^(water|ocean)$/, p => p.water],
  [/^(aeroway|airport)$/, p => p.airport], [/^buildings?$/, p => p.airport],
];
const LINES: readonly (readonly [name: RegExp, colour: (p: Palette) => string, width: number])[] = [
  [/^(roads?|transportation|streets?)$/, p => p.runway, 1.2], [/^(transit|boundar(y|ies)|waterway|water)$/, p => p.shore, 0.8],
];

/** The layers of a vector archive: areas below, lines above, no lettering. */
export function tileLayers(names: readonly string[], p: Palette): LayerSpecification[] {
  const part = (name: string) => ({source: 'tiles', 'source-layer': name});
  const areas = AREAS.flatMap(([known, colour]) => names.filter(n => known.test(n)).map((name): LayerSpecification => ({
    id: `area-${name}`, type: 'fill', ...part(name), filter: ['==', ['geometry-type'], 'Polygon'], paint: {'fill-color': colour(p)},
  })));
  const line = (name: string, colour: string, width: number): LayerSpecification => ({
    id: `line-${name}`, type: 'line', ...part(name), filter: ['==', ['geometry-type'], 'LineString'], paint: {'line-color': colour, 'line-width': width},
  });
  const lines = LINES.flatMap(([known, colour, width]) => names.filter(n => known.test(n)).map(name => line(name, colour(p), width)));
  const others = names.filter(n => ![...AREAS, ...LINES].some(([known]) => known.test(n))).map(name => line(name, p.shore, 0.6));
  return [{id: 'ground', type: 'background', paint: {'background-color': names.some(n => /^(earth|land)$/.test(n)) ? p.water : p.land}}, ...areas, ...lines, ...others];
}

const protocol = new Protocol();
let registered = false;

/** A style for a PMTiles file that the node serves, vector or picture. */
export async function tilesStyle(url: string, p: Palette): Promise<StyleSpecification> {
  if (!registered) addProtocol('pmtiles', protocol.tile);
  registered = true;
  const archive = new PMTiles(url);
  protocol.add(archive);
  const header = await archive.getHeader(), metadata = (await archive.getMetadata()) as {vector_layers?: {id: string}[]; attribution?: string};
  const source = {url: `pmtiles://${url}`, ...(metadata.attribution ? {attribution: metadata.attribution} : {})};
  if (header.tileType === TileType.Mvt) {
    return {version: 8, sources: {tiles: {type: 'vector', ...source}}, layers: tileLayers((metadata.vector_layers ?? []).map(l => l.id), p)};
  }
  return {
    version: 8, sources: {tiles: {type: 'raster', tileSize: 256, ...source}},
    layers: [{id: 'ground', type: 'background', paint: {'background-color': p.land}}, {id: 'tiles', type: 'raster', source: 'tiles', paint: {'raster-fade-duration': 0}}],
  };
}
