"""What schemathesis changes in its requests before it sends them. It imports this by SCHEMATHESIS_HOOKS."""
import itertools
import os

import schemathesis

FOLDER = os.environ['ZONA_TEST_FOLDER']
# What of an app no host can refuse.
KEPT = ['autorestart', 'max_restarts', 'min_uptime', 'restart_delay', 'kill_timeout', 'stdin', 'merge_logs', 'time']

numbers = itertools.count()


@schemathesis.hook
def before_call(context, case):
    name = case.operation.definition.raw['operationId']
    # A log that is followed has no end.
    if name == 'readLogs' and case.query and str(case.query.get('follow')).lower() == 'true':
        case.query['follow'] = 'false'
    # A good body starts a sleep and keeps its files together, whatever else it says; a bad one is to start nothing.
    if name == 'startProcesses' and case.data_generation_method.is_positive and isinstance(case.body, dict):
        case.body = startable(case.body)


def startable(body):
    """The body with what a schema cannot say: one app, given once, of a program that exists and under a name of its own."""
    app = {key: value for key, value in (body.get('apps') or [{}])[0].items() if key in KEPT}
    app.update(name=f'made-{next(numbers)}', script='/bin/sleep', args=['1000'])
    env = {name: value for name, value in (body.get('env') or {}).items() if name.isidentifier()}
    return {'apps': [app], 'cwd': FOLDER, 'env': env, **({'wait': body['wait']} if 'wait' in body else {})}


@schemathesis.hook
def process_call_kwargs(context, case, kwargs):
    # What is judged is the operation's answer, not that of the page to which it leads.
    kwargs['allow_redirects'] = False


@schemathesis.hook
def filter_case(context, case):
    # A body that may be absent is not wrong when it is absent; schemathesis counts it among the wrong ones.
    good = case.data_generation_method.is_positive
    return good or isinstance(case.body, (dict, list, str, int, float, bool, type(None)))
