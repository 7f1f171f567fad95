using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>
/// What TPMs keep on a <see cref="FakeHost"/>: an image that the guest writes like a disk, of which nobody makes layers. Loaded
/// memory brings its own.
/// </summary>
internal sealed class FakeTpm(FakeHost host)
{
    /// <summary>What a process calls it among its drives.</summary>
    public const string Target = "tpm";

    private const string CreateKind = "machine.create-tpm", CopyKind = "machine.copy-tpm", RemoveKind = "machine.remove-tpm";

    public static FakeDrive Drive(DomainFolder folder, ShortId state) => new(Target, folder.Tpm(state), IsWritable: true);

    public static Step Create(DomainFolder folder, ShortId state) => Of(CreateKind, StepUndo.Exact, folder, state);

    public static Step Remove(DomainFolder folder, ShortId state) => Of(RemoveKind, StepUndo.None, folder, state);

    public static Step Copy(DomainFolder folder, TpmCopy copy) =>
        Step.Of(CopyKind, $"copy {folder.Tpm(copy.From)}", StepUndo.Exact, copy, FakeJson.Default.TpmCopy);

    /// <summary>What a process with loaded memory makes of it.</summary>
    public static FakeHostState Loaded(FakeHostState state, string path, long counter) => state.With(path, i => i with
    {
        Blocks = i.Blocks.Clear().Add(0, counter),
    });

    /// <summary>Carries a step out if it is one of these.</summary>
    public bool TryApply(Step step, DomainFolder folder)
    {
        switch (step.Kind)
        {
            case CreateKind:
                var made = folder.Tpm(StateOf(step));
                Remove(made);
                Add(made, FakeImage.Empty(ImageFormat.Raw, null, FakeHost.FileSize));
                return true;
            case CopyKind:
                Copy(step.Read(FakeJson.Default.TpmCopy), folder);
                return true;
            case RemoveKind:
                Remove(folder.Tpm(StateOf(step)));
                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes a step back if it is one of these.</summary>
    public void Undo(Step step, DomainFolder folder)
    {
        switch (step.Kind)
        {
            case CreateKind:
                Remove(folder.Tpm(StateOf(step)));
                break;
            case CopyKind:
                Remove(folder.Tpm(step.Read(FakeJson.Default.TpmCopy).To));
                break;
        }
    }

    public void Copy(TpmCopy copy, DomainFolder folder)
    {
        var from = (copy.Of is { } domain ? folder.Home.Domain(domain) : folder).Tpm(copy.From);
        Require(from);
        Remove(folder.Tpm(copy.To));
        Add(folder.Tpm(copy.To), host.State.Images[from]);
    }

    public void Remove(string path)
    {
        if (host.State.Processes.Values.SelectMany(p => p.Drives).Any(d => d.Path == path))
        {
            throw new InvalidOperationException($"{path} is in use");
        }

        if (host.State.Images.ContainsKey(path))
        {
            host.Act($"remove {path}", s => s with { Images = s.Images.Remove(path) });
        }
    }

    public void Require(string path)
    {
        if (!host.State.Images.ContainsKey(path))
        {
            throw new CoppiceException(ErrorKind.NotFound, $"TPM {path}", "is not there");
        }
    }

    private static ShortId StateOf(Step step) => step.Read(FakeJson.Default.TpmArguments).State;

    private static Step Of(string kind, StepUndo undo, DomainFolder folder, ShortId state) =>
        Step.Of(kind, $"{kind} {folder.Tpm(state)}", undo, new TpmArguments(state), FakeJson.Default.TpmArguments);

    private void Add(string path, FakeImage image) => host.Act($"create {path}", s => s with { Images = s.Images.Add(path, image) });
}
