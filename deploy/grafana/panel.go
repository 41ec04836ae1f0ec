package main

// Units by Grafana's names.
const (
	number     = "short"
	perSecond  = "ops"
	perMinute  = "opm"
	requests   = "reqps"
	seconds    = "s"
	share      = "percentunit"
	bytes1024  = "bytes"
	yesOrNo    = "bool"
	wholeWidth = 24
)

// row is a heading and the panels below it; "" is none.
type row struct {
	title  string
	height int
	panels []panel
}

// panel is Grafana's JSON model of one, as far as it is used here.
type panel struct {
	ID          int         `json:"id"`
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Description string      `json:"description,omitempty"`
	GridPos     grid        `json:"gridPos"`
	Datasource  *datasource `json:"datasource,omitempty"`
	FieldConfig *fields     `json:"fieldConfig,omitempty"`
	Options     any         `json:"options,omitempty"`
	Targets     []target    `json:"targets,omitempty"`
	Transforms  []transform `json:"transformations,omitempty"`
	Collapsed   *bool       `json:"collapsed,omitempty"`
}

type grid struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type fields struct {
	Defaults  field `json:"defaults"`
	Overrides []any `json:"overrides"`
}

type field struct {
	Unit       string      `json:"unit"`
	Decimals   *int        `json:"decimals,omitempty"`
	Min        *float64    `json:"min,omitempty"`
	NoValue    string      `json:"noValue,omitempty"`
	Color      *color      `json:"color,omitempty"`
	Thresholds *thresholds `json:"thresholds,omitempty"`
	Custom     any         `json:"custom,omitempty"`
}

type color struct {
	Mode string `json:"mode"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

// step is a colour from a value on; the first has none.
type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

type target struct {
	RefID        string     `json:"refId"`
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat,omitempty"`
	Format       string     `json:"format"`
	Instant      bool       `json:"instant"`
	Range        bool       `json:"range"`
}

type transform struct {
	ID      string `json:"id"`
	Options any    `json:"options"`
}

// place puts the panels of each row side by side, over its whole width, and
// numbers them.
func (d *dashboard) place(rows []row) {
	y := 0
	for _, r := range rows {
		if r.title != "" {
			open := false
			d.add(panel{Type: "row", Title: r.title, GridPos: grid{H: 1, W: wholeWidth, Y: y}, Collapsed: &open})
			y++
		}
		for i, p := range r.panels {
			left, right := wholeWidth*i/len(r.panels), wholeWidth*(i+1)/len(r.panels)
			p.GridPos = grid{H: r.height, W: right - left, X: left, Y: y}
			d.add(p)
		}
		y += r.height
	}
}

func (d *dashboard) add(p panel) {
	p.ID = len(d.Panels) + 1
	d.Panels = append(d.Panels, p)
}

// query is an expression and how its lines are called.
type query struct{ legend, expr string }

// graph shows how values went.
func graph(title, description, unit string, queries ...query) panel {
	p := newPanel("timeseries", title, description, unit, false, queries)
	p.FieldConfig.Defaults.Min = new(0.0)
	p.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 10, "lineWidth": 1, "showPoints": "never", "spanNulls": true}
	p.Options = map[string]any{
		"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}
	return p
}

// tile shows one number, now, in the colour of its limits: green, from the first
// on yellow, from the second on red. Without limits it is plain.
func tile(title, description, unit string, q query, limits ...float64) panel {
	p := newPanel("stat", title, description, unit, true, []query{q})
	steps, mode := []step{{Color: "text"}}, "none"
	if len(limits) > 0 {
		steps, mode = []step{{Color: "green"}}, "background"
	}
	for i, limit := range limits {
		steps = append(steps, step{Color: []string{"yellow", "red"}[i], Value: &limit})
	}
	p.FieldConfig.Defaults.Color = &color{Mode: "thresholds"}
	p.FieldConfig.Defaults.Thresholds = &thresholds{Mode: "absolute", Steps: steps}
	p.Options = map[string]any{
		"colorMode": mode, "graphMode": "none", "justifyMode": "center",
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	return p
}

// bars compares numbers over the time shown.
func bars(title, description, unit string, queries ...query) panel {
	p := newPanel("bargauge", title, description, unit, true, queries)
	p.FieldConfig.Defaults.Min, p.FieldConfig.Defaults.Decimals = new(0.0), new(0)
	p.Options = map[string]any{
		"displayMode": "basic", "orientation": "horizontal",
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	return p
}

// table lists what there is now, without the named labels.
func table(title, description, unit string, q query, without ...string) panel {
	p := newPanel("table", title, description, unit, true, []query{q})
	p.Targets[0].Format = "table"
	hidden := map[string]bool{"Time": true}
	for _, label := range without {
		hidden[label] = true
	}
	p.Transforms = []transform{{ID: "organize", Options: map[string]any{"excludeByName": hidden}}}
	return p
}

// heat shows how the values of a histogram are spread over time.
func heat(title, description, unit string, q query) panel {
	p := newPanel("heatmap", title, description, unit, false, []query{q})
	p.Targets[0].Format = "heatmap"
	p.Options = map[string]any{
		"calculate": false, "cellGap": 1,
		"color": map[string]any{"mode": "scheme", "scheme": "Oranges", "steps": 64},
		"yAxis": map[string]any{"unit": unit}, "tooltip": map[string]any{"mode": "single"},
	}
	return p
}

func newPanel(kind, title, description, unit string, instant bool, queries []query) panel {
	p := panel{
		Type: kind, Title: title, Description: description, Datasource: &chosen,
		FieldConfig: &fields{Defaults: field{Unit: unit, NoValue: "–"}, Overrides: []any{}},
	}
	for i, q := range queries {
		p.Targets = append(p.Targets, target{
			RefID: string(rune('A' + i)), Datasource: chosen, Expr: q.expr, LegendFormat: q.legend,
			Format: "time_series", Instant: instant, Range: !instant,
		})
	}
	return p
}
