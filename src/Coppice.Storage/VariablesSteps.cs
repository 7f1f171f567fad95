using Coppice.Core;

namespace Coppice.Storage;

/// <summary>Makes the variables of a firmware from their template.</summary>
internal sealed class VariablesSteps(QemuImg qemuImg)
{
    public const string CreateKind = "storage.create-variables";

    public static Step Create(Layer variables, string template)
    {
        var arguments = new VariablesArguments(variables.Path, variables.Format, template);
        return Step.Of(
            CreateKind, $"make the firmware's variables from {template}", StepUndo.Exact, arguments,
            StorageJson.Default.VariablesArguments) with
        {
            Files = [new FileChange(FileEffect.Create, variables.Path, variables.VirtualSize)],
        };
    }

    public StepKind Kind => new StepKind<VariablesArguments>(
        StorageJson.Default.VariablesArguments,
        async (variables, _, cancellation) =>
        {
            await NewImage.MakeAsync(
                variables.Path, partial => qemuImg.ConvertAsync(variables.Template, partial, variables.Format, cancellation))
                .ConfigureAwait(false);
            return StepReport.Nothing;
        },
        // Variables that differ from their template are somebody else's by now, and stay.
        (variables, _, cancellation) => NewImage.UndoAsync(variables.Path, () => ProbeAsync(variables, cancellation)),
        (variables, _, cancellation) => ProbeAsync(variables, cancellation));

    private async Task<StepOutcome> ProbeAsync(VariablesArguments variables, CancellationToken cancellation)
    {
        if (!File.Exists(variables.Path))
        {
            return StepOutcome.NotDone;
        }

        var same = await qemuImg.HoldsAsync(variables.Path, variables.Format, variables.Template, cancellation).ConfigureAwait(false);
        return same ? StepOutcome.Done : StepOutcome.Unknown;
    }
}
