using Coppice.Torture;
using Coppice.Torture.Load;

// coppice-torture [--time 10m] [--seed N | --seed ROOM:N] [--load 5m] [-noColor]
// With --load one round of the room "load" alone, for so long and with all clients. Else
// operations and faults at random until the time is over, or the one round that a line of an earlier run names.
// Ends with a line that build/test understands; not 0 if anything was as it must never be.
if (OfflineVictim.Parse(args) is { } victim)
{
    return await victim.RunAsync();
}

var settings = Settings.Parse(args);
Room[] rooms = settings.Load is { } time
    ? [new LoadRoom(LoadSize.Full(time))]
    : [new FakeRoom(), new OfflineRoom(), new LiveRoom(), new LoadRoom(LoadSize.Short)];
using var run = new Run(settings, rooms);
return await run.RunAsync() ? 0 : 1;
