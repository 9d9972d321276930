// The mathematical functions as Prometheus computes them, bit by bit: the C library rounds better, but then a rule that
// compares a logarithm with a constant would hold in one evaluator and not in the other. Go's math package takes the
// sine, cosine, tangent and arctangent from Cephes (S. Moshier, netlib.org/cephes), exp on amd64 from SLEEF (N.
// Shibata, ISC'10), and the logarithms from FreeBSD's msun (e_log.c, s_log1p.c); formulas and constants are theirs.
//
// As on amd64: every operation is rounded on its own (this module is built without contraction), except that exp uses
// fused multiply-add where the processor has it, as Go does. Pure functions, any thread.
#pragma once

namespace go {

double exp(double x);
double log(double x);
double log2(double x);
double log10(double x);
double log1p(double x);
double pow(double x, double y);

double sinh(double x);
double cosh(double x);
double tanh(double x);
double asinh(double x);
double acosh(double x);
double atanh(double x);

double sin(double x);
double cos(double x);
double tan(double x);
double asin(double x);
double acos(double x);
double atan(double x);
double atan2(double y, double x);

// Unlike std::min and std::max: NaN wins, but for an infinity that no number can beat, and -0 is less than +0.
double min(double a, double b);
double max(double a, double b);

}  // namespace go
