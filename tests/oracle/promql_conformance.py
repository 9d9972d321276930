#!/usr/bin/env python3
"""Runs one set of recorded PromQL cases through promql_batch and compares.

  promql_conformance.py parse|native|edges|differential2|differential3 --batch PROGRAM [--beside FOLDER] [--show N]

The cases are looked for in $FETTLE_SHARED, else in the folder given with --beside. Exit code 0: all agree; 1: some do
not (they are printed); 77: there are no cases here.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys

UNITS = {'ms': 1, 's': 1000, 'm': 60000, 'h': 3600000, 'd': 86400000, 'w': 604800000, 'y': 31536000000}


def duration_ms(text):
    if text is None:
        return 0
    if re.fullmatch(r'-?[0-9.]+', text):
        return round(float(text) * 1000)
    return sum(int(n) * UNITS[u] for n, u in re.findall(r'([0-9]+)(ms|[smhdwy])', text))


def number(text):
    text = text.strip()
    if text.lower() in ('inf', '+inf'):
        return math.inf
    if text.lower() == '-inf':
        return -math.inf
    return math.nan if text.lower() == 'nan' else float(text)


def shown(v):
    if isinstance(v, str):
        return v
    if math.isnan(v):
        return 'NaN'
    return ('+Inf' if v > 0 else '-Inf') if math.isinf(v) else repr(v)


def split_series(text):
    """The metric and what stands behind it: name{labels} rest."""
    match = re.match(r'\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(\{(?:[^"\'}]|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\')*\})?', text)
    labels = {}
    if match.group(1):
        labels['__name__'] = match.group(1)
    for name, double, single in re.findall(
            r'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*(?:"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\')', match.group(2) or ''):
        value = double or single
        labels[name] = re.sub(r'\\(.)', lambda m: {'n': '\n', 't': '\t'}.get(m.group(1), m.group(1)), value)
    return {k: v for k, v in labels.items() if v}, text[match.end():].strip()


def expand(values, gap_ms):
    """1 2+3x4 _ _x3 stale: the samples of a series in the language of promtool's tests."""
    samples, t = [], 0
    for word in re.findall(r'\S+', values):
        repeated = re.fullmatch(r'_(?:x([0-9]+))?', word)
        if repeated:
            t += gap_ms * int(repeated.group(1) or 1)
            continue
        if word == 'stale':
            samples.append([t, 'stale'])
            t += gap_ms
            continue
        stepped = re.fullmatch(r'([-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|Inf|NaN))(?:([-+][0-9.]+(?:[eE][-+]?[0-9]+)?))?'
                               r'x([0-9]+)', word)
        if stepped:
            start, step, times = number(stepped.group(1)), float(stepped.group(2) or 0), int(stepped.group(3))
            for i in range(times + 1):
                samples.append([t, shown(start)])
                start += step
                t += gap_ms
            continue
        samples.append([t, shown(number(word))])
        t += gap_ms
    return samples


def ask(batch, compat, requests):
    lines = ''.join(json.dumps(dict(request, id=i)) + '\n' for i, request in enumerate(requests))
    run = subprocess.run([batch, '--promql.compat=%d' % compat], input=lines, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit('promql_batch ended with %d' % run.returncode)
    return [json.loads(line) for line in run.stdout.split('\n') if line]


def close(a, b, tolerance=1e-6):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b))


class Tally:
    def __init__(self, show):
        self.good, self.bad, self.show = 0, [], show

    def judge(self, problem, where):
        if problem is None:
            self.good += 1
        else:
            self.bad.append('%s\n    %s' % (where, problem))

    def end(self):
        for text in self.bad[:self.show]:
            print(text)
        print('%d of %d agree' % (self.good, self.good + len(self.bad)))
        return 1 if self.bad else 0


def run_parse(folder, batch, tally):
    cases = [json.loads(line) for line in open(os.path.join(folder, 'cases/parse_v2.42.jsonl'))]
    answers = ask(batch, 2, [{'kind': 'parse', 'expr': case['expr']} for case in cases])
    for case, answer in zip(cases, answers):
        problem = None
        if case['ok'] != ('error' not in answer):
            problem = 'accepted' if 'error' not in answer else 'refused: ' + answer['error']
        elif not case['ok']:
            want = (case['oracle'].get('error') or '').replace('invalid parameter "query": ', '')
            if want and want != answer['error']:
                problem = 'says %s\n    want %s' % (answer['error'], want)
        else:
            pretty = case['oracle'].get('pretty') or ''
            if '\n' not in pretty and pretty != answer['data']:
                problem = 'prints %s\n    want   %s' % (answer['data'], pretty)
        tally.judge(problem, repr(case['expr']))


def vector_of(answer):
    data = answer['data']
    if data['resultType'] == 'scalar':
        return [({}, number(data['result'][1]))]
    return [(e['metric'], number(e['value'][1])) for e in data['result']]


def compare_rows(case, answer):
    if 'fail' in case['mods']:
        return None if 'error' in answer else 'no error'
    if 'error' in answer:
        return 'error: ' + answer['error']
    want = []
    for row in case['rows']:
        try:
            want.append(({}, number(row)))
            continue
        except ValueError:
            labels, rest = split_series(row)
        want.append((labels, number(rest)))
    got = vector_of(answer)
    if len(want) != len(got):
        return 'want %s\n    got  %s' % (want, got)
    if 'ordered' not in case['mods']:
        want.sort(key=lambda e: sorted(e[0].items()))
        got.sort(key=lambda e: sorted(e[0].items()))
    for (wl, wv), (gl, gv) in zip(want, got):
        if wl != gl or not close(wv, gv):
            return 'want %s\n    got  %s' % (want, got)
    return None


def run_native(folder, batch, tally):
    cases = [json.loads(line) for line in open(os.path.join(folder, 'cases/v2.42/native.jsonl'))]
    requests = []
    for case in cases:
        merged = {}
        for load in case['load']:
            for text in load['series']:
                labels, rest = split_series(text)
                key = tuple(sorted(labels.items()))
                merged.setdefault(key, []).extend(expand(rest, duration_ms(load['gap'])))
        series = [{'metric': dict(key), 'samples': samples} for key, samples in merged.items()]
        requests.append({'kind': 'instant', 'expr': case['expr'], 'time': duration_ms(case['at']) / 1000,
                         'series': series})
    for case, answer in zip(cases, ask(batch, 2, requests)):
        tally.judge(compare_rows(case, answer), '%s:%s %s at %s' % (case['script'], case['line'], case['expr'], case['at']))


T0 = 1700000000


def escaped(value):
    return value.replace('\n', '\\n')


def edge_elements(answer):
    """The parts of an answer in the short form of the recorded ones: ("a{x='1'}", [value, time, ...])."""
    data = answer['data']
    kind = data['resultType']
    if kind == 'string':
        return [('string', [escaped(data['result'][1])])]
    if kind == 'scalar':
        return [('scalar', [data['result'][1]])]
    elements = []
    for element in data['result']:
        metric = dict(element['metric'])
        name = metric.pop('__name__', '')
        inside = ','.join("%s='%s'" % (k, escaped(v)) for k, v in sorted(metric.items()))
        label = name + ('{' + inside + '}' if inside or not name else '')
        points = [element['value'][1]] if kind == 'vector' else [
            '%s@%g' % (v, t - T0) for t, v in element['values']]
        elements.append((label, points))
    return sorted(elements)


def recorded_elements(text):
    """The same from the recorded text."""
    if text == '(empty)':
        return []
    elements = []
    for part in text.split('; '):
        match = re.fullmatch(r"((?:[a-z_]+)?(?:\{[^}]*\})?) (.*)", part, re.S)
        label, rest = match.groups()
        elements.append((label, [rest] if label == 'string' else rest.split(' ')))
    return sorted(elements)


def same_point(want, got):
    wv, _, wt = want.partition('@')
    gv, _, gt = got.partition('@')
    try:
        return wt == gt and close(number(wv), number(gv), 1e-9)
    except ValueError:
        return want == got


def edge_problem(want, answer):
    want = want.replace('invalid parameter "query": ', '')
    if 'error' in answer:
        return None if want == 'ERROR ' + answer['error'] else 'want %s\n    got  ERROR %s' % (want, answer['error'])
    if want.startswith('ERROR'):
        return 'want %s\n    got  %s' % (want, edge_elements(answer))
    wanted, got = recorded_elements(want), edge_elements(answer)
    same = [w[0] for w in wanted] == [g[0] for g in got] and all(
        len(w[1]) == len(g[1]) and all(map(same_point, w[1], g[1])) for w, g in zip(wanted, got))
    return None if same else 'want %s\n    got  %s' % (wanted, got)


def edge_series():
    """The series that the recorded edge cases were asked about, one sample a minute."""
    def series(name, labels, values):
        samples = [[(T0 + 60 * i) * 1000, shown(v)] for i, v in enumerate(values) if v is not None]
        return {'metric': dict(labels, __name__=name), 'samples': samples}
    return [
        series('a', {'x': '1', 'j': 'k'}, [float(i) for i in range(1, 11)]),
        series('a', {'x': '2', 'j': 'k'}, [math.nan] * 10),
        series('b', {'x': '1', 'j': 'k'}, [2.0] * 10),
        series('b', {'x': '3', 'j': 'k'}, [2.0] * 10),
        series('c', {'m': '1'}, [10.0, 20.0, 30.0] + [5.0 + 10 * i for i in range(7)]),
        series('one', {}, [5.0]),
        series('stale', {'k': 'v'}, [1.0, 2.0, 'stale', None, None, None, 3.0, 'stale', None, 7.0]),
        series('nl', {'t': 'foo\nbar'}, [1.0] * 10),
        series('dot', {'ip': '10.0.0.1'}, [1.0] * 10),
    ]


def run_edges(folder, batch, tally):
    cases = json.load(open(os.path.join(folder, 'edges_2.42.json')))
    data = edge_series()
    requests = [{'kind': 'instant', 'expr': expr, 'time': T0 + 540, 'series': data} for expr, _ in cases]
    for (expr, want), answer in zip(cases, ask(batch, 2, requests)):
        tally.judge(edge_problem(want, answer), expr)


def run_differential(folder, batch, compat, show):
    command = [sys.executable, os.path.join(folder, 'difftest.py'), 'compare', '--dir',
               os.path.join(folder, 'differential', 'v%d' % compat), '--batch',
               '%s --promql.compat=%d' % (batch, compat), '--tol', '1e-9', '--show', str(show)]
    return subprocess.run(command, env=dict(os.environ, PYTHONDONTWRITEBYTECODE='1')).returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('set', choices=['parse', 'native', 'edges', 'differential2', 'differential3'])
    parser.add_argument('--batch', required=True)
    parser.add_argument('--beside', default='')
    parser.add_argument('--show', type=int, default=20)
    args = parser.parse_args()
    folder = os.path.join(os.environ.get('FETTLE_SHARED') or args.beside, 'promql')
    if not os.path.isdir(folder):
        print('skipped: no recorded cases in %s; set FETTLE_SHARED to the folder that has them' % folder)
        return 77
    if args.set.startswith('differential'):
        return run_differential(folder, args.batch, int(args.set[-1]), args.show)
    tally = Tally(args.show)
    {'parse': run_parse, 'native': run_native, 'edges': run_edges}[args.set](folder, args.batch, tally)
    return tally.end()


if __name__ == '__main__':
    sys.exit(main())
