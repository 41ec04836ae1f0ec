package main

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"slices"
)

// colours is how many a picture keeps.
const colours = 192

// shrink writes a PNG of few colours, which is a fraction of its size. Pages
// have few: the many shades at the edges of letters and in gradients are close
// to one that is kept.
func shrink(data []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	small := image.NewPaletted(full.Bounds(), frequent(full))
	known := map[color.RGBA]uint8{}
	each(full, func(x, y int, c color.RGBA) {
		i, ok := known[c]
		if !ok {
			i = uint8(small.Palette.Index(c)) //nolint:gosec // the palette has 192
			known[c] = i
		}
		small.SetColorIndex(x, y, i)
	})
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&out, small)
	return out.Bytes(), err
}

func each(m image.Image, do func(x, y int, c color.RGBA)) {
	bounds := m.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			r, g, b, _ := m.At(x, y).RGBA()
			do(x, y, color.RGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: 255}) //nolint:gosec // 16 bits to 8
		}
	}
}

// frequent are the most frequent colours of m, one of each group of neighbours,
// so that a gradient does not take them all.
func frequent(m image.Image) color.Palette {
	type group struct {
		count, best int
		colour      color.RGBA
	}
	counts := map[color.RGBA]int{}
	each(m, func(_, _ int, c color.RGBA) { counts[c]++ })
	groups := map[[3]uint8]group{}
	for c, n := range counts {
		key := [3]uint8{c.R >> 2, c.G >> 2, c.B >> 2}
		g := groups[key]
		if n > g.best || n == g.best && compare(c, g.colour) < 0 {
			g.best, g.colour = n, c
		}
		g.count += n
		groups[key] = g
	}
	sorted := slices.SortedFunc(maps.Values(groups), func(a, b group) int {
		return cmp.Or(cmp.Compare(b.count, a.count), compare(a.colour, b.colour))
	})
	palette := color.Palette{}
	for _, g := range sorted[:min(colours, len(sorted))] {
		palette = append(palette, g.colour)
	}
	return palette
}

// compare orders colours, so that a picture is the same each time.
func compare(a, b color.RGBA) int {
	return cmp.Or(cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
}
