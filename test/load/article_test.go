// Package load tests what the load tool and JMeter must agree on.
package load_test

import (
	"encoding/xml"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"matriq/pkg/load"
)

// element is any element of the plan.
type element struct {
	XMLName  xml.Name
	Class    string    `xml:"testclass,attr"`
	Name     string    `xml:"name,attr"`
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

// stock are the test classes that every JMeter has.
var stock = []string{
	"", "TestPlan", "Arguments", "ConfigTestElement", "ThreadGroup", "LoopController", "HTTPSamplerProxy", "ResultCollector",
}

// walk calls do with e and all below it.
func (e element) walk(do func(element)) {
	do(e)
	for _, child := range e.Children {
		child.walk(do)
	}
}

// prop is the text of a property, below e as deep as it is.
func (e element) prop(name string) (text string) {
	e.walk(func(below element) {
		if below.Name == name {
			text = strings.TrimSpace(below.Text)
		}
	})
	return text
}

func readPlan(t *testing.T) element {
	t.Helper()
	data, err := os.ReadFile("article.jmx")
	if err != nil {
		t.Fatal(err)
	}
	var plan element
	if err := xml.Unmarshal(data, &plan); err != nil {
		t.Fatal(err)
	}
	return plan
}

// The plan for JMeter has the groups of matriq load --plan article, and nothing
// that a stock JMeter lacks.
func TestArticlePlan_HasTheGroups(t *testing.T) {
	t.Parallel()
	plan := readPlan(t)
	if plan.XMLName.Local != "jmeterTestPlan" || len(plan.Children) != 1 || plan.Children[0].XMLName.Local != "hashTree" {
		t.Fatalf("the plan begins with %s and %d children", plan.XMLName.Local, len(plan.Children))
	}
	var got, want []string
	plan.walk(func(e element) {
		if !slices.Contains(stock, e.Class) {
			t.Errorf("%s is no element of a stock JMeter", e.Class)
		}
		if e.XMLName.Local == "ThreadGroup" {
			got = append(got, fmt.Sprintf("%s threads within %s s after %s s, %s times, scheduled %s", e.prop("ThreadGroup.num_threads"),
				e.prop("ThreadGroup.ramp_time"), e.prop("ThreadGroup.delay"), e.prop("LoopController.loops"), e.prop("ThreadGroup.scheduler")))
		}
	})
	for _, g := range load.ArticleGroups() {
		want = append(want, fmt.Sprintf("%d threads within %g s after %g s, 1 times, scheduled true", g.Threads, g.RampUp.Seconds(), g.After.Seconds()))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the groups are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// In a tree of JMeter each element is followed by the hashTree of what is below
// it, and every group's asks for the first page.
func TestArticlePlan_Tree(t *testing.T) {
	t.Parallel()
	pages := 0
	readPlan(t).walk(func(e element) {
		if e.XMLName.Local != "hashTree" {
			return
		}
		for i := 0; i < len(e.Children); i += 2 {
			if e.Children[i].XMLName.Local == "hashTree" || i+1 == len(e.Children) || e.Children[i+1].XMLName.Local != "hashTree" {
				t.Fatalf("%s has no hashTree behind it", e.Children[i].XMLName.Local)
			}
			if e.Children[i].XMLName.Local == "ThreadGroup" {
				below := e.Children[i+1]
				if below.prop("HTTPSampler.path") == "/" && below.prop("HTTPSampler.method") == "GET" {
					pages++
				}
			}
		}
	})
	if pages != 5 {
		t.Errorf("%d groups ask for the first page, want 5", pages)
	}
}
