package rest

// Decode is the strict decoder, for the fuzz test.
var Decode = decode
