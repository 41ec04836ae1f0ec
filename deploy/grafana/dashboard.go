package main

// dashboard is Grafana's JSON model, as far as it is used here.
type dashboard struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	Links         []link     `json:"links"`
	SchemaVersion int        `json:"schemaVersion"`
	Editable      bool       `json:"editable"`
	GraphTooltip  int        `json:"graphTooltip"` // 1: one crosshair for all panels
	Timezone      string     `json:"timezone"`
	Refresh       string     `json:"refresh"`
	Time          timeRange  `json:"time"`
	Templating    templating `json:"templating"`
	Panels        []panel    `json:"panels"`
}

// link leads to the other dashboards and keeps the time shown.
type link struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []variable `json:"list"`
}

// variable is what one chooses at the top of a dashboard.
type variable struct {
	Name       string      `json:"name"`
	Label      string      `json:"label"`
	Type       string      `json:"type"`
	Query      string      `json:"query"`
	Datasource *datasource `json:"datasource,omitempty"`
	Refresh    int         `json:"refresh,omitempty"` // 2: when the time shown changes
	Multi      bool        `json:"multi,omitempty"`
	IncludeAll bool        `json:"includeAll,omitempty"`
	AllValue   string      `json:"allValue,omitempty"`
	Current    *choice     `json:"current,omitempty"`
}

type choice struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// chosen is the data source that the variable names.
var chosen = datasource{Type: "prometheus", UID: "${datasource}"}

// newDashboard lays the rows out from the top.
func newDashboard(uid, title, description string, variables []variable, rows ...row) dashboard {
	d := dashboard{
		UID: uid, Title: title, Description: description,
		Tags:          []string{"matriq"},
		Links:         []link{{Title: "Matriq", Type: "dashboards", Tags: []string{"matriq"}, KeepTime: true}},
		SchemaVersion: 39, GraphTooltip: 1, Timezone: "browser",
		Refresh: "10s", Time: timeRange{From: "now-1h", To: "now"},
		Templating: templating{List: append([]variable{{
			Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus",
		}}, variables...)},
	}
	d.place(rows)
	return d
}

// services lets one choose among the services that have a metric, all at first;
// queries say job=~"$job".
func services(metric string) []variable {
	return []variable{{
		Name: "job", Label: "Service", Type: "query", Query: "label_values(" + metric + ", job)",
		Datasource: &chosen, Refresh: 2, Multi: true, IncludeAll: true, AllValue: ".*",
		Current: &choice{Text: "All", Value: "$__all"},
	}}
}
