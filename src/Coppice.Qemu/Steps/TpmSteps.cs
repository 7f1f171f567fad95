using Coppice.Core;
using Coppice.Qemu.Tpm;

namespace Coppice.Qemu.Steps;

/// <summary>Makes TPMs, copies what they keep, and removes them, while no process uses them.</summary>
internal sealed class TpmSteps(TpmEmulator emulator)
{
    public const string CreateKind = "qemu.create-tpm", CopyKind = "qemu.copy-tpm", RemoveKind = "qemu.remove-tpm";

    public static Step Create(DomainFolder folder, ShortId state) => Of(CreateKind, "make", folder, state, FileEffect.Create);

    public static Step Copy(DomainFolder folder, TpmCopy copy) => Step.Of(
        CopyKind, $"copy TPM {copy.From} to {copy.To}", StepUndo.Exact, copy, StepJson.Default.TpmCopy) with
    {
        Files = [new FileChange(FileEffect.Create, folder.Tpm(copy.To), default)],
    };

    public static Step Remove(DomainFolder folder, ShortId state) =>
        Of(RemoveKind, "remove", folder, state, FileEffect.Delete) with { Undo = StepUndo.None };

    public StepKind CreateStep => new StepKind<TpmArguments>(
        StepJson.Default.TpmArguments,
        async (tpm, context, cancellation) =>
        {
            await emulator.MakeAsync(TpmState.Of(context.Folder, tpm.State), cancellation);
            return StepReport.Nothing;
        },
        (tpm, context, _) => RemoveAsync(context, tpm.State),
        Probe: null);

    public static StepKind CopyStep => new StepKind<TpmCopy>(
        StepJson.Default.TpmCopy,
        async (copy, context, cancellation) =>
        {
            var from = copy.Of is { } domain ? context.Folder.Home.Domain(domain) : context.Folder;
            var content = TpmState.Of(from, copy.From).Read();
            await TpmState.Of(context.Folder, copy.To).WriteAsync(content, cancellation);
            return new StepReport { Written = new ByteCount(content.Length) };
        },
        (copy, context, _) => RemoveAsync(context, copy.To),
        Probe: null);

    public static StepKind RemoveStep => new StepKind<TpmArguments>(
        StepJson.Default.TpmArguments,
        async (tpm, context, _) =>
        {
            await RemoveAsync(context, tpm.State);
            return StepReport.Nothing;
        },
        Undo: null,
        Probe: null);

    private static Step Of(string kind, string what, DomainFolder folder, ShortId state, FileEffect effect) => Step.Of(
        kind, $"{what} TPM {state}", StepUndo.Exact, new TpmArguments(state), StepJson.Default.TpmArguments) with
    {
        Files = [new FileChange(effect, folder.Tpm(state), default)],
    };

    private static Task RemoveAsync(StepContext context, ShortId state)
    {
        TpmState.Of(context.Folder, state).Remove();
        return Task.CompletedTask;
    }
}
