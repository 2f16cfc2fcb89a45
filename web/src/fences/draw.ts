import type {Map as GLMap} from 'maplibre-gl';
import {TerraDraw, TerraDrawCircleMode, TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawSelectMode, type HexColor} from 'terra-draw';
import {TerraDrawMapLibreGLAdapter} from 'terra-draw-maplibre-gl-adapter';
import type {Geometry, Position} from 'geojson';
import {circleOf, drawnShape, round, type Draft, type Kind} from './draft.ts';

const MODE: Record<Kind, 'polygon' | 'circle' | 'linestring'> = {polygon: 'polygon', circle: 'circle', corridor: 'linestring'};

export interface Drawn {geometry: Geometry; radiusMetres?: number}

/** Draws one fence on the map, and lets its corners be dragged. It is loaded when somebody edits. */
export class Drawing {
  private readonly draw: TerraDraw;
  private kind: Kind = 'polygon';
  private feature: string | number | undefined;

  constructor(private readonly map: GLMap, colour: string, private readonly changed: (drawn: Drawn) => void) {
    const tone = colour as HexColor, outline = {outlineColor: tone, outlineWidth: 2, fillColor: tone, fillOpacity: 0.15};
    const drag = {draggable: true, coordinates: {draggable: true, midpoints: true, deletable: true}};
    this.draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({map, coordinatePrecision: 6}),
      modes: [
        new TerraDrawPolygonMode({styles: {...outline, closingPointColor: tone, closingPointWidth: 6}}),
        new TerraDrawCircleMode({styles: outline, segments: 24, startingRadiusKilometers: 0.00001}),
        new TerraDrawLineStringMode({styles: {lineStringColor: tone, lineStringWidth: 4, closingPointColor: tone}}),
        new TerraDrawSelectMode({
          allowManualDeselection: false,
          flags: {polygon: {feature: drag}, linestring: {feature: drag}, circle: {feature: {draggable: true, coordinates: {resizable: 'center'}}}},
          styles: {
            selectedPolygonColor: tone, selectedPolygonOutlineColor: tone, selectedPolygonFillOpacity: 0.2, selectedPolygonOutlineWidth: 2, selectedLineStringColor: tone,
            selectedLineStringWidth: 4, selectionPointColor: tone, selectionPointOutlineColor: '#ffffff', selectionPointWidth: 6, midPointColor: tone, midPointWidth: 3,
            midPointOutlineColor: '#ffffff',
          },
        }),
      ],
    });
    this.draw.start();
    map.doubleClickZoom.disable();
    this.draw.on('finish', (id, context) => {
      this.feature = id;
      this.tell();
      if (context.action === 'draw') this.edit();
    });
  }

  /** Begins to draw a new one. */
  begin(kind: Kind): void {
    this.draw.clear();
    this.feature = undefined;
    this.kind = kind;
    this.draw.setMode(MODE[kind]);
  }

  /** Shows a draft's shape for dragging. False: it can be changed as text only. */
  show(draft: Draft): boolean {
    const shape = drawnShape(draft);
    this.kind = draft.kind;
    this.draw.setMode('select');
    this.draw.clear();
    this.feature = undefined;
    if (!shape) return false;
    const [result] = this.draw.addFeatures([{type: 'Feature', geometry: shape.geometry, properties: {mode: shape.mode}}]);
    if (!result?.valid || result.id === undefined) return false;
    this.feature = result.id;
    this.draw.selectFeature(result.id);
    return true;
  }

  private edit(): void {
    setTimeout(() => { // terra-draw ends its own handling first
      if (this.feature === undefined || !this.draw.enabled) return;
      this.draw.setMode('select');
      this.draw.selectFeature(this.feature);
    });
  }

  private tell(): void {
    const feature = this.draw.getSnapshot().find(f => f.id === this.feature);
    if (!feature) return;
    const even = (line: Position[]) => line.map(p => [round(p[0]!), round(p[1]!)]);
    if (feature.geometry.type === 'LineString') return this.changed({geometry: {type: 'LineString', coordinates: even(feature.geometry.coordinates)}});
    if (feature.geometry.type !== 'Polygon') return;
    if (this.kind === 'circle') {
      const {centre, radiusMetres} = circleOf(feature.geometry.coordinates[0]!);
      return this.changed({geometry: {type: 'Point', coordinates: centre}, radiusMetres});
    }
    this.changed({geometry: {type: 'Polygon', coordinates: feature.geometry.coordinates.map(even)}});
  }

  stop(): void {
    this.draw.stop();
    this.map.doubleClickZoom.enable();
  }
}
