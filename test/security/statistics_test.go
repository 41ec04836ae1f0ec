package security_test

import (
	"math"
	"slices"
)

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// distance is that of Kolmogorov and Smirnov: how far the two empirical
// distributions are apart at most.
func distance(a, b []float64) float64 {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	most, i, j := 0.0, 0, 0
	for i < len(a) && j < len(b) {
		at := min(a[i], b[j])
		for i < len(a) && a[i] == at {
			i++
		}
		for j < len(b) && b[j] == at {
			j++
		}
		most = max(most, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return most
}

// significant is the distance that two samples of one distribution exceed with a
// probability of alpha.
func significant(alpha float64, n, m int) float64 {
	return math.Sqrt(-math.Log(alpha/2) / 2 * float64(n+m) / float64(n*m))
}
