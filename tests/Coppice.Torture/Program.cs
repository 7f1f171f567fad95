using Coppice.Torture;

// coppice-torture [--time 10m] [--seed N | --seed ROOM:N] [-noColor]
// Operations and faults at random until the time is over, or the one round that a line of an earlier run names.
// Ends with a line that build/test understands; not 0 if anything was as it must never be.
if (OfflineVictim.Parse(args) is { } victim)
{
    return await victim.RunAsync();
}

var settings = Settings.Parse(args);
using var run = new Run(settings, [new FakeRoom(), new OfflineRoom(), new LiveRoom()]);
return await run.RunAsync() ? 0 : 1;
