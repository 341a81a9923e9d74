"""Of two runs at once one works, and the other is told by whom and since when."""

import subprocess

import ordeal


def test_of_two_runs_at_once_one_works_and_one_is_told_who_holds_the_home(few, copied):
    home = copied(few)
    command = [*ordeal.SHIPCAST, "--home", str(home), "-q", "run"]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) for _ in range(2)]
    told = {process.pid: process.communicate()[1] for process in runs}

    assert sorted(process.returncode for process in runs) == [0, 6]
    winner, loser = sorted(runs, key=lambda process: process.returncode)
    assert f"`shipcast run` (process {winner.pid}) holds {home} since 20" in " ".join(told[loser.pid].split())
