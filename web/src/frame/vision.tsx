/** How colours look to somebody with another colour vision: linear RGB, complete deficiency (Machado, Oliveira, Fernandes 2009). Each row adds up to one, so that grey stays grey. */
const SEEN = {
  protan: "0.152286 1.052583 -0.204868 0 0  0.114503 0.786281 0.099216 0 0  -0.003882 -0.048116 1.051998 0 0  0 0 0 1 0",
  deutan: "0.367322 0.860646 -0.227968 0 0  0.280085 0.672501 0.047413 0 0  -0.011820 0.042940 0.968881 0 0  0 0 0 1 0",
  tritan: "1.255528 -0.076749 -0.178779 0 0  -0.078411 0.930809 0.147602 0 0  0.004733 0.691367 0.303900 0 0  0 0 0 1 0",
};

/** The filters that the preview of a colour vision wears. */
export function Visions() {
  return (
    <svg width="0" height="0" style={{ position: "absolute" }} aria-hidden="true">
      {Object.entries(SEEN).map(([name, values]) => <filter key={name} id={`vision-${name}`} color-interpolation-filters="linearRGB"><feColorMatrix type="matrix" values={values} /></filter>)}
    </svg>
  );
}
