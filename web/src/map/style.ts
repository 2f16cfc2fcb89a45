import type {LayerSpecification, Map as GLMap, StyleSpecification} from 'maplibre-gl';
import type {FeatureCollection} from 'geojson';
import type {Basemap} from './basemap.ts';
import type {Palette} from './palette.ts';

const EMPTY: FeatureCollection = {type: 'FeatureCollection', features: []};
const growing = (at10: number, at16: number) => ['interpolate', ['exponential', 1.6], ['zoom'], 10, at10, 16, at16] as unknown as number;

function baseLayers(p: Palette): LayerSpecification[] {
  return [
    {id: 'water', type: 'background', paint: {'background-color': p.water}},
    {id: 'region', type: 'fill', source: 'region', paint: {'fill-color': p.region, 'fill-antialias': false}},
    {id: 'land', type: 'fill', source: 'boroughs', paint: {'fill-color': p.land}},
    {id: 'airport', type: 'fill', source: 'airports', paint: {'fill-color': p.airport}},
    {id: 'runway', type: 'line', source: 'runways', minzoom: 9, layout: {'line-cap': 'round'}, paint: {'line-color': p.runway, 'line-width': growing(1, 14)}},
    {id: 'shore', type: 'line', source: 'boroughs', paint: {'line-color': p.shore, 'line-width': growing(0.6, 1.6)}},
  ];
}

function fenceLayers(p: Palette): LayerSpecification[] {
  return [
    {id: 'fence-fill', type: 'fill', source: 'fences', filter: ['==', ['geometry-type'], 'Polygon'], paint: {'fill-color': p.fence, 'fill-opacity': 0.05}},
    {id: 'fence-line', type: 'line', source: 'fences', layout: {'line-join': 'round'}, paint: {'line-color': p.fence, 'line-opacity': 0.7, 'line-width': 1.3}},
  ];
}

/** Our own style: no glyphs, no pictures, no request. */
export function ownStyle(basemap: Basemap, p: Palette): StyleSpecification {
  const geojson = (data: FeatureCollection) => ({type: 'geojson' as const, data, tolerance: 0.2});
  return {
    version: 8,
    transition: {duration: 0, delay: 0},
    sources: {
      region: geojson(basemap.region), boroughs: geojson(basemap.boroughs), airports: geojson(basemap.airports),
      runways: geojson(basemap.runways), fences: geojson(EMPTY),
    },
    layers: [...baseLayers(p), ...fenceLayers(p)],
  };
}

/** Puts our layers over a style that the operator chose. */
export function addFenceLayers(map: GLMap, p: Palette): void {
  if (!map.getSource('fences')) map.addSource('fences', {type: 'geojson', data: EMPTY});
  for (const layer of fenceLayers(p)) if (!map.getLayer(layer.id)) map.addLayer(layer);
}

/** Changes the colours of the layers that are ours. */
export function recolour(map: GLMap, p: Palette): void {
  for (const layer of [...baseLayers(p), ...fenceLayers(p)]) {
    if (!map.getLayer(layer.id)) continue;
    for (const [name, value] of Object.entries(layer.paint ?? {})) {
      if (name.endsWith('-color')) map.setPaintProperty(layer.id, name as 'fill-color', value as string);
    }
  }
}
